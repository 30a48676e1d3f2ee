// How steps end, and that nothing of them is left, in each place of this machine.

import { mkdirSync, readlinkSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { conform, napTime, running } from '../fixtures/conformance.ts'
import { eventually, lacks, Sandbox } from '../fixtures/sandbox.ts'
import { Site } from '../fixtures/site.ts'
import { StepsFixture } from '../fixtures/steps.ts'
import { killRemains } from '../../slave/run/places/processes.ts'

conform('ISOLATE=pid', { ISOLATE: 'pid' })
conform('ISOLATE=no', { ISOLATE: 'no' })
conform('ISOLATE=bwrap', { ISOLATE: 'bwrap' }, lacks('bwrap'))

test('what a step exits with is not taken for a signal, and what it is given arrives', async t => {
  const odd = "a=b\n'c' \u00e9 \\"
  const f = new StepsFixture(
    new Sandbox(t),
    {
      a: 'printf %s "$ODD"; exit 77',
      'b c': 'read -r line; echo "$? $line"; kill -9 $$',
      'd.always': 'exit 137',
      'e.always': '#!/no/such/interpreter',
      'f.always': 'ps -o pid=,pgid= $$',
    },
    { ISOLATE: 'pid', STEP_ENV: 'ODD', ODD: odd },
  )
  t.match(await f.run(), { verdict: 'failure', step: 'b c' })
  t.equal(Buffer.from(f.said('a'), 'latin1').toString(), odd)
  t.same([f.exit('a'), f.exit('b c'), f.exit('d.always')], ['77', 'signal KILL', '137'])
  t.match([f.exit('e.always'), f.said('e.always', 'stderr')], ['127', /^unable to run '.*e\.always'/])
  t.equal(new Set(f.said('f.always').trim().split(/ +/)).size, 1, 'it leads a group')
})

test('a sandbox has a read-only system, its own /tmp, and no network', { skip: lacks('bwrap') }, async t => {
  const f = new StepsFixture(
    new Sandbox(t),
    {
      a: 'echo mine > here && ! touch /etc/here && ! touch /usr/here',
      b: 'cat here && [ -z "$(ls /run)" ] && : > /tmp/private',
      c: 'test ! -e /tmp/private && [ "$(grep -c : /proc/net/dev)" = 1 ] && echo made > "$BASS_ARTIFACTS/made"',
    },
    { ISOLATE: 'bwrap', STEP_NETWORK: 'no' },
  )
  t.same(await f.run(), { verdict: 'success' })
  t.equal(f.read('artifacts', 'made'), 'made\n')
})

test('a sandbox has ended only with all that was in it', { skip: lacks('bwrap') }, async t => {
  const nap = napTime()
  // Its first process, which is to end the others, hardly gets a processor.
  const busy = `setsid sh -c 'while :; do :; done' sh ${nap} >/dev/null 2>&1 &`
  const f = new StepsFixture(
    new Sandbox(t),
    { a: `chrt --idle --pid 0 1 && for i in 1 2 3 4 5 6 7 8; do ${busy} done` },
    { ISOLATE: 'bwrap' },
  )
  t.same(await f.run(), { verdict: 'success' })
  t.same(running(nap), [])
})

test('a daemon with a session of its own and a clean environment does not leave its namespace', async t => {
  const nap = napTime()
  const f = new StepsFixture(
    new Sandbox(t),
    { a: `(env -i PATH="$PATH" setsid sh -c 'sleep ${nap} & sleep ${nap}' >/dev/null 2>&1 &); sleep 0.2` },
    { ISOLATE: 'pid' },
  )
  t.same(await f.run(), { verdict: 'success' })
  t.same(running(nap), [])
})

test(
  'a mount that a step makes is gone with it',
  { skip: process.getuid?.() !== 0 && 'needs root' },
  async t => {
    const f = new StepsFixture(
      new Sandbox(t),
      { a: 'mount -t tmpfs none /mnt && : >/mnt/x', b: 'test ! -e /mnt/x' },
      { ISOLATE: 'pid' },
    )
    t.same(await f.run(), { verdict: 'success' })
  },
)

test('a runner that was stopped does not blame its step for silence', async t => {
  const sandbox = new Sandbox(t)
  const script = 'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo $i; sleep 0.2; done'
  const f = new StepsFixture(sandbox, { a: script }, { LINE_TIMEOUT: '1.5' })
  const runner = sandbox.start('slave/bin/steps-runner', [f.job], { cwd: f.work, env: f.settings })
  await eventually('the step runs', () => f.said('a').includes('2'))
  process.kill(runner.pid, 'SIGSTOP')
  await new Promise(done => setTimeout(done, 2000))
  process.kill(runner.pid, 'SIGCONT')
  t.match(await runner.ended, { code: 0, stderr: '' })
  t.match(f.said('a'), /12\n$/)
})

test('what is left of a dead job is found by its temporary directory', async t => {
  const nap = napTime()
  const sandbox = new Sandbox(t)
  const env = { TMPDIR: sandbox.path('work', 'tmp') }
  sandbox.start('sleep', [nap], { env })
  sandbox.start('sleep', [nap])
  await eventually('both run', () => running(nap).length === 2)
  await killRemains(sandbox.path('work'))
  t.equal(running(nap).length, 1)
})

test('where no namespace can be made, ISOLATE=auto says so and goes on, and ISOLATE=pid ends with 100', async t => {
  const sandbox = new Sandbox(t)
  mkdirSync(sandbox.path('bin'))
  for (const tool of ['cat', 'grep', 'mkfifo', 'node', 'readlink', 'sh', 'uname']) {
    symlinkSync(sandbox.ok('sh', ['-c', `command -v ${tool}`]), sandbox.path('bin', tool))
  }
  const run = (ISOLATE: string) => {
    const f = new StepsFixture(sandbox, { a: 'echo up' })
    const env = { ...f.settings, ISOLATE, PATH: sandbox.path('bin') }
    return sandbox.run('slave/bin/steps-runner', [f.job], { cwd: f.work, env })
  }
  const why = 'steps run without a pid namespace of their own: spawn unshare ENOENT'
  t.same(run('auto'), { code: 0, signal: null, stdout: '', stderr: `steps-runner: info: ${why}\n` })
  t.match(run('pid'), {
    code: 100,
    stderr: /^steps-runner: fatal: unable to make a pid namespace, as ISOLATE=pid demands: .*\n$/,
  })
})

/** Makes a child that is no child of the first process in its namespace, and shows no sign of the step. */
const CLONE_PARENT = (nap: string) => `#!/usr/bin/env python3
import ctypes, os, platform, signal
clone = {'x86_64': 56, 'aarch64': 220}[platform.machine()]
if ctypes.CDLL(None).syscall(clone, 0x8000 | signal.SIGCHLD, 0, 0, 0, 0) == 0:
    os.setsid()
    for fd in range(3): os.close(fd)
    os.execve('/bin/sleep', ['sleep', '${nap}'], {})
import time
time.sleep(0.3)`

test(
  'ISOLATE=pid: a child made with CLONE_PARENT ends with its step',
  { skip: lacks('python3') },
  async t => {
    const nap = napTime()
    const look = 'readlink /proc/self/ns/pid'
    const steps = { a: look, b: look, c: CLONE_PARENT(nap) }
    const f = new StepsFixture(new Sandbox(t), steps, { ISOLATE: 'pid' })
    t.same(await f.run(), { verdict: 'success' })
    t.same(running(nap), [])
    t.equal(f.said('a'), f.said('b'), 'one that was left clean serves the next step')
  },
)

test('what is left of a job whose taker was killed right after the start is found through its slot', async t => {
  const nap = napTime()
  const site = new Site(t)
  const taker = site.taker()
  const name = site.publish({ a: `sleep ${nap}` })
  await eventually('the step runs', () => running(nap).length > 0)
  const work = readlinkSync(site.path('slot/work', name))
  await taker.kill('SIGKILL')
  await eventually('it is gone', () => running(nap).length === 0)
  site.start('sleep', [nap], { env: { TMPDIR: join(work, 'tmp') } })
  rmSync(join(site.job(name), 'tmp-path.txt'))
  site.taker('slot', { ARCH: 'another' })
  t.equal(await site.verdict(name), 'lost')
  t.same(running(nap), [])
})
