import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { eventually } from '../fixtures/sandbox.ts'
import { Workshop } from '../fixtures/workshop.ts'

const PROGRAM = 'master/bin/task-maker'

test('--once handles the oldest event and says what it published; with nothing to do it says nothing', async t => {
  const shop = new Workshop(t)
  const ids = [shop.commit(), shop.commit()]
  ids.forEach(id => shop.touch(`main/${id}`))
  const version = (id: string) => shop.ok('master/bin/version-for-git', [id], { cwd: shop.code })
  for (const [i, id] of ids.entries()) {
    const name = (n: number, target: string) => `${2 * i + n}:hello:${version(id)}:${target}\n`
    t.match(shop.run(PROGRAM, ['--once']), {
      code: 0,
      stdout: name(1, 'x86') + name(2, 'arm:pi'),
      stderr: '',
    })
  }
  t.match(shop.run(PROGRAM, ['--once']), { code: 0, stdout: '', stderr: '' })
})

test('--once fails for now with 111 and one line, and then goes on with the next event', async t => {
  const shop = new Workshop(t)
  shop.touch('nope')
  const id = shop.commit()
  shop.touch(id)
  const failed = shop.run(PROGRAM, ['--once'])
  t.match(failed, { code: 111, stdout: '' })
  t.equal(failed.stderr, "task-maker: fatal: unable to make tasks of 'nope': no such commit\n")
  t.match(shop.run(PROGRAM, ['--once']), { code: 0, stdout: /^1:hello/ })
  t.match(shop.run(PROGRAM, ['--once']), { code: 0, stdout: '' }, 'the other waits for its next turn')
})

test('a setting that is missing or wrong is one sentence and exit 100, and the event stays', async t => {
  const shop = new Workshop(t)
  shop.touch(shop.commit({ large: 'x'.repeat(600_000) }))
  const wrong: [Record<string, string | undefined>, RegExp][] = [
    [{ PROJ: undefined }, /read the setting PROJ: it is not set/],
    [{ ARCHS: undefined }, /read the setting ARCHS: it is not set/],
    [{ ARCHS: 'x86 a:b:c' }, /ARCHS: 'a:b:c' is not ARCH or ARCH:HOST/],
    [{ EVENT_TRIES: 'many' }, /EVENT_TRIES: 'many' is not a whole number/],
    [{ SPOOL: undefined }, /read the setting REVS: it is not set/],
    [{ REVS: shop.path('a b') }, /is no name of a project/],
    [{ COMPRESSOR: 'no-such-program -1' }, /run 'no-such-program'/],
  ]
  for (const [env, why] of wrong) {
    const ended = shop.run(PROGRAM, ['--once'], { env })
    t.match(ended, { code: 100, stdout: '', stderr: why })
    t.equal(ended.stderr.split('\n').length, 2, ended.stderr)
  }
  rmSync(join(shop.spool.ctr, '0'), { recursive: true })
  t.match(shop.run(PROGRAM, ['--once']), { code: 100, stderr: /read the counter/ })
  shop.ok('mkdir', [join(shop.spool.ctr, '7')])
  t.match(shop.run(PROGRAM, ['--once']), { code: 0, stdout: /^8:hello:.*:x86\n9:hello:/ })
})

test('a directory of the spool that is missing is said to be', async t => {
  const shop = new Workshop(t)
  rmSync(shop.project.revs, { recursive: true })
  t.match(shop.run(PROGRAM), { code: 111, stderr: /revs\/hello': no such directory/ })
  t.match(shop.run(PROGRAM, [], { env: { PROJ: '/nowhere' } }), { code: 111 })
})

test('what comes while many events are worked off is worked off as well', async t => {
  const shop = new Workshop(t)
  const maker = shop.start(PROGRAM, [], { env: { POLL_INTERVAL: '60s' } })
  const ids = Array.from({ length: 20 }, () => shop.commit())
  const last = shop.commit()
  shop.ok('sh', ['-c', 'mkdir "$0" && cd "$0" && touch "$@"', join(shop.project.revs, 'main'), ...ids])
  await eventually('the first task', () => shop.published().length > 0)
  t.ok(shop.published().length < 2 * ids.length, 'others are to come')
  shop.touch(`new/branch/${last}`)
  await eventually('all tasks', () => shop.published().length === 2 * ids.length + 2)
  shop.touch(`new/branch/${shop.commit()}`)
  await eventually('what comes after them', () => shop.published().length === 2 * ids.length + 4)
  t.match(await maker.kill('SIGTERM'), { code: 0, stderr: '' })
  t.same(shop.leftovers(), [])
})

test('a waiting maker handles events as they come, in new refs too, and ends at TERM', async t => {
  const shop = new Workshop(t)
  const maker = shop.start(PROGRAM)
  for (const ref of ['main', 'feature/x', 'feature/x']) {
    const id = shop.commit()
    shop.touch(`${ref}/${id}`)
    await eventually('two tasks', () => shop.revisions().filter(revision => revision === id).length === 2)
  }
  await eventually('their names', () => maker.stdout().split('\n').length === 7)
  t.match(await maker.kill('SIGTERM'), { code: 0, stderr: '' })
  t.same(shop.leftovers(), [])
})

test('a crowd of events is made into tasks without a word, and without a git for each', async t => {
  const shop = new Workshop(t)
  const log = shop.path('gits')
  const git = shop.ok('sh', ['-c', 'command -v git'])
  const spy = shop.path('spy')
  mkdirSync(spy)
  writeFileSync(join(spy, 'git'), `#!/bin/sh\necho "$3" >>'${log}'\nexec ${git} "$@"\n`, { mode: 0o755 })
  const events = Array.from({ length: 30 }, () =>
    shop.commit({ Testfile: 'a: true\n', f: String(Math.random()) }),
  )
  events.forEach(id => shop.touch(`main/${id}`))
  const maker = shop.start(PROGRAM, [], { env: { PATH: `${spy}:${process.env['PATH']!}` } })
  await eventually('the tasks', () => shop.revisions().length === 30 * 2 * 2)
  t.match(await maker.kill('SIGTERM'), { code: 0, stderr: '' })
  const gits = readFileSync(log, 'utf8').trim().split('\n')
  t.ok(gits.filter(verb => verb === 'cat-file').length <= 6, gits.join(' '))
  t.ok(gits.length <= 20, gits.join(' '))
})

test('odd things among the events are reported once each, and the others handled', async t => {
  const shop = new Workshop(t)
  const maker = shop.start(PROGRAM)
  symlinkSync('/etc/passwd', join(shop.project.revs, 'link'))
  shop.ok('mkfifo', [join(shop.project.revs, 'fifo')])
  for (let i = 0; i < 3; i++) {
    shop.touch(`main/${shop.commit()}`)
    await eventually('two tasks', () => shop.published().length === 2 * (i + 1))
  }
  const { stderr } = await maker.kill('SIGTERM')
  t.equal(stderr.match(/'\S*\/link': not a regular file/g)?.length, 1)
  t.equal(stderr.match(/'\S*\/fifo': not a regular file/g)?.length, 1)
  t.equal(stderr.split('\n').length, 3)
})

test('limits that conf/PROJECT/rc sets are in each task; one that cannot be read is exit 100, and the event stays', async t => {
  const shop = new Workshop(t)
  const conf = join(shop.spool.root, 'conf/hello')
  mkdirSync(conf, { recursive: true })
  shop.touch(shop.commit())
  writeFileSync(join(conf, 'rc'), 'JOB_TIMEOUT=soon\n')
  t.match(shop.run(PROGRAM, ['--once']), { code: 100, stderr: /JOB_TIMEOUT: 'soon' is not a time/ })
  writeFileSync(join(conf, 'rc'), 'JOB_TIMEOUT=2h\nARTIFACTS_MAX=10G\n')
  const { code, stdout } = shop.run(PROGRAM, ['--once'])
  t.equal(code, 0)
  const names = stdout.trim().split('\n')
  t.equal(names.length, 2)
  for (const name of names) {
    const limits = readFileSync(join(shop.spool.tasks.cur, name, 'limits.txt'), 'utf8')
    t.equal(limits, 'JOB_TIMEOUT=2h\nARTIFACTS_MAX=10G\n')
  }
})
