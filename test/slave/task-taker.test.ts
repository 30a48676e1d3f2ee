import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { verdictOf } from '../../lib/spool/job.ts'
import { retriedAs } from '../../lib/spool/retry.ts'
import { eventually, ROOT } from '../fixtures/sandbox.ts'
import { Site } from '../fixtures/site.ts'

test('a task that appears is run at once, step by step, and archived', async t => {
  const site = new Site(t)
  const taker = site.taker()
  await eventually('the taker', () => site.ls('spool/takers').length > 0)
  const name = site.publish({ '1-hello': 'cat hello.txt', '2-version': 'echo "$BASS_VERSION on $BASS_ARCH"' })
  t.equal(await site.verdict(name), 'success')
  await eventually('the archive', () => site.ls('spool/tasks/old').includes(name))
  t.equal(site.log(name, '1-hello'), 'hello\n')
  t.equal(site.log(name, '2-version'), 'v1 on testarch\n')
  t.match(site.ls('spool/jobs/cur', name), [
    'alive',
    'env.txt',
    'host.txt',
    'owner.txt',
    'pkg.txt',
    'result.txt',
    'steps',
    'tmp-path.txt',
  ])
  await eventually('the temporary directory to go', () => site.ls('jobtmp').length === 0)
  t.equal((await taker.kill('SIGTERM')).code, 0)
  t.equal(taker.stdout() + taker.stderr(), '')
})

test('tasks of another architecture and host wait', async t => {
  const site = new Site(t)
  const other = site.publish({ a: 'true' }, 'otherarch')
  const pinned = site.publish({ a: 'true' }, 'testarch:elsewhere')
  const mine = site.publish({ a: 'true' }, 'testarch:testhost')
  site.taker()
  await site.verdict(mine)
  await eventually('the archive', () => site.ls('spool/tasks/old').includes(mine))
  t.same(site.ls('spool/tasks/cur'), [other, pinned])
  t.same(site.ls('spool/tasks/cur', other).includes('claim'), false)
})

test('four takers run forty tasks, each exactly once', async t => {
  const site = new Site(t)
  const names = Array.from({ length: 40 }, () => site.publish({ a: `echo ran >>'${site.path('ran')}'` }))
  for (let slot = 1; slot <= 4; slot++) site.taker(`slot-${slot}`)
  await eventually('all to be over', () => site.ls('spool/tasks/old').length === names.length, 60)
  t.same(
    names.map(name => verdictOf(site.job(name))),
    names.map(() => 'success'),
  )
  t.equal(readFileSync(site.path('ran'), 'utf8').split('\n').length - 1, names.length)
})

test('a touched cancel ends a running job and its whole process tree', async t => {
  const site = new Site(t)
  const name = site.publish({
    a: 'setsid sleep 300 & echo $!; trap "" TERM; sleep 300',
    'b.always': 'echo cleaned',
  })
  site.taker()
  await eventually('the step to run', () => site.ls('spool/jobs/cur', name, 'steps/a').includes('stdout.txt'))
  await eventually('its output', () => site.log(name, 'a') !== '')
  writeFileSync(join(site.spool.tasks.cur, name, 'cancel'), '')
  t.equal(await site.verdict(name), 'cancelled')
  // What it can do in the time that is left to it depends on the machine.
  t.ok(site.ls('spool/jobs/cur', name, 'steps').includes('b.always'), 'the step that always runs was started')
  t.equal(site.run('pgrep', ['-f', '^sleep 300$']).stdout, '', 'nothing is left of it')
})

test('a taker that is told to stop gives its job back at once', async t => {
  const site = new Site(t)
  const name = site.publish({ a: 'sleep 300' })
  const taker = site.taker()
  await eventually('the step to run', () => site.ls('spool/jobs/cur', name, 'steps/a').includes('started'))
  t.equal((await taker.kill('SIGTERM')).code, 0)
  t.equal(verdictOf(site.job(name)), 'lost')
  const again = retriedAs(site.job(name))
  t.equal(again, '2:hello:v1:testarch')
  t.same(site.ls('spool/tasks/cur'), [again])
  t.equal(readFileSync(join(site.spool.tasks.cur, again!, 'retry-of.txt'), 'utf8'), `${name} drain 0\n`)
})

test('a taker that is told to stop lets its job finish within DRAIN', async t => {
  const site = new Site(t)
  const name = site.publish({ a: 'sleep 1; echo done' })
  site.publish({ a: 'true' })
  const taker = site.taker('slot', { DRAIN: '60' })
  await eventually('the step to run', () => site.ls('spool/jobs/cur', name, 'steps/a').includes('started'))
  t.equal((await taker.kill('SIGTERM')).code, 0)
  t.equal(verdictOf(site.job(name)), 'success')
  t.equal(site.ls('spool/tasks/cur').length, 1, 'and takes nothing more')
})

test('a taker that was killed ends its job when it starts again, and runs the task anew', async t => {
  const site = new Site(t)
  const flag = site.path('flag')
  const name = site.publish({ a: `[ -e '${flag}' ] || { touch '${flag}'; sleep 300; }` })
  const taker = site.taker()
  await eventually('the step to run', () => site.ls('.').includes('flag'))
  await taker.kill('SIGKILL')
  site.taker()
  t.equal(await site.verdict(name), 'lost')
  t.equal(await site.verdict('2:hello:v1:testarch'), 'success')
  t.equal(site.run('pgrep', ['-f', '^sleep 300$']).stdout, '', 'nothing is left of the first run')
})

test('a task that cannot be unpacked ends as an error that says why, and the next one runs', async t => {
  const site = new Site(t)
  const truncated = site.publish({ a: 'true' })
  writeFileSync(join(site.spool.tasks.cur, truncated, 'code.tar'), 'not a tar')
  const missing = site.publish({ a: 'true' })
  rmSync(join(site.spool.tasks.cur, missing, 'steps.tar'))
  const none = site.publish({})
  const good = site.publish({ a: 'true' })
  site.taker()
  t.equal(await site.verdict(good), 'success')
  for (const name of [truncated, missing, none]) {
    t.equal(verdictOf(site.job(name)), 'error')
    t.match(readFileSync(join(site.job(name), 'error.txt'), 'utf8'), /^[A-Z].*\.\n$/)
  }
})

test('a task that says what is wrong with it ends as an error with that text, and nothing of it is run', async t => {
  const site = new Site(t)
  const name = site.publish({ a: `touch '${site.path('ran')}'` })
  const why = "sdk/Testfile:1: it is not 'NAME: COMMAND'\nsdk/Testfile:4: unit has no command"
  writeFileSync(join(site.spool.tasks.cur, name, 'error.txt'), why + '\n')
  const empty = site.publish({ a: 'true' })
  writeFileSync(join(site.spool.tasks.cur, empty, 'error.txt'), '\n')
  site.taker()
  t.equal(await site.verdict(name), 'error')
  t.equal(readFileSync(join(site.job(name), 'error.txt'), 'utf8'), `Nothing is run: ${why}.\n`)
  t.notOk(site.ls('.').includes('ran'))
  t.equal(await site.verdict(empty), 'success', 'a file that says nothing stops nothing')
})

test(
  'a task that cannot be claimed keeps none behind it waiting',
  { skip: process.getuid?.() !== 0 && 'needs root' },
  async t => {
    const site = new Site(t)
    const odd = site.publish({ a: 'true' })
    const others = Array.from({ length: 5 }, () => site.publish({ a: 'true' }))
    mkdirSync(site.path('slot'))
    // As of another user, who gave the group no right to write.
    site.ok('sh', [
      '-ec',
      'chmod 755 "$0"; chown -R nobody "$0"; chown -R root "$1"; chmod 755 "$1"',
      ...[site.dir, join(site.spool.tasks.cur, odd)],
    ])
    const nobody = ['--reuid=nobody', '--regid=nogroup', '--clear-groups']
    const taker = site.start('setpriv', [...nobody, join(ROOT, 'slave/bin/task-taker')], {
      cwd: site.path('slot'),
      // As long as a listing is worked off: what comes first in each would be all that is tried.
      env: { POLL_INTERVAL: '1' },
    })
    for (const name of others) t.equal(await site.verdict(name), 'success')
    await eventually('the archive', () => site.ls('spool/tasks/old').length === others.length)
    t.same(site.ls('spool/tasks/cur'), [odd])
    const told = taker
      .stderr()
      .split('\n')
      .filter(line => line.includes(odd))
    t.match(told[0], /warning: unable to .*1:hello.*permission denied/)
  },
)

test('a paused project waits until the pause is removed', async t => {
  const site = new Site(t)
  mkdirSync(site.spool.pause)
  writeFileSync(join(site.spool.pause, 'project:hello'), '')
  const name = site.publish({ a: 'true' })
  site.taker()
  await new Promise(done => setTimeout(done, 1000))
  t.same(site.ls('spool/jobs/cur'), [])
  rmSync(join(site.spool.pause, 'project:hello'))
  t.equal(await site.verdict(name), 'success')
})

test('two takers do not work in one slot', async t => {
  const site = new Site(t)
  const first = site.taker()
  await eventually('the first', () =>
    site.ls('spool/takers', site.ls('spool/takers')[0] ?? 'x').includes('alive'),
  )
  const second = site.run('slave/bin/task-taker', [], { cwd: site.path('slot') })
  t.equal(second.code, 111)
  t.match(
    second.stderr,
    /^task-taker: fatal: unable to work in '.*slot': the task-taker with pid \d+ works there\n$/,
  )
  t.equal((await first.kill('SIGTERM')).code, 0)
})

test('a taker whose working directory was removed says so', async t => {
  const site = new Site(t)
  const taker = site.taker('slot', { WATCH: 'poll' })
  await eventually('the taker', () => site.ls('spool/takers').length > 0)
  rmSync(site.path('slot'), { recursive: true })
  const ended = await taker.ended
  t.equal(ended.code, 111)
  t.match(ended.stderr, /^task-taker: fatal: unable to use the working directory .*\n$/)
})

test('job-starter runs one task, and exits 0 at once if it is taken or for others', async t => {
  const site = new Site(t)
  mkdirSync(site.path('slot'))
  const name = site.publish({ a: 'exit 3' })
  const other = site.publish({ a: 'true' }, 'otherarch')
  const start = (task: string) => site.run('slave/bin/job-starter', [task], { cwd: site.path('slot') })
  t.match(start(name), { code: 0, stdout: '', stderr: '' })
  t.equal(verdictOf(site.job(name)), 'failure')
  t.match(start(name), { code: 0, stdout: '', stderr: '' })
  t.match(start(other), { code: 0, stdout: '', stderr: '' })
  t.match(start('nonsense'), {
    code: 100,
    stderr: "job-starter: fatal: unable to run 'nonsense': not a name of a task\n",
  })
})

test('the limits of a task stand before those of the machine, also after the taker was started again', async t => {
  const site = new Site(t)
  const limits = (name: string, text: string) =>
    writeFileSync(join(site.spool.tasks.cur, name, 'limits.txt'), text)
  const env = { STEP_TIMEOUT: '0', FAILED_JOB_WAITTIME: '1h' }
  const slow = site.publish({ a: 'sleep 60' })
  limits(slow, 'STEP_TIMEOUT=0.5\nPATH=/nowhere\n')
  const kept = site.publish({ a: 'exit 1' })
  limits(kept, 'FAILED_JOB_WAITTIME=2h\n')
  const short = site.publish({ a: 'exit 1' })
  limits(short, 'FAILED_JOB_WAITTIME=0\n')
  const bad = site.publish({ a: 'true' })
  limits(bad, 'LOG_MAX=much\n')
  const taker = site.taker('slot', env)
  t.equal(await site.verdict(slow), 'timeout')
  t.equal(await site.verdict(kept), 'failure')
  t.equal(await site.verdict(short), 'failure')
  t.equal(await site.verdict(bad), 'error')
  t.match(readFileSync(join(site.job(bad), 'error.txt'), 'utf8'), /LOG_MAX: 'much' is not a size/)
  await eventually('what is not kept to go', () => !site.ls('slot/work').includes(short))
  t.ok(site.ls('slot/work').includes(kept))
  t.equal((await taker.kill('SIGTERM')).code, 0)
  site.taker('slot', { ...env, FAILED_JOB_WAITTIME: '0' })
  // Between two jobs it looks.
  await site.verdict(site.publish({ a: 'true' }))
  await eventually('what only the taker kept to go', () => !site.ls('slot/work').includes(slow))
  t.ok(site.ls('slot/work').includes(kept), 'its project wants it for longer')
})
