// How steps end, and that nothing of them is left: with a namespace and without one.

import { mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs'
import { test } from 'tap'

import { eventually, lacks, Sandbox } from '../fixtures/sandbox.ts'
import { StepsFixture } from '../fixtures/steps.ts'
import { killRemains } from '../../slave/run/places/processes.ts'

/** Processes that have this word among their arguments. */
function running(word: string): string[] {
  return readdirSync('/proc').filter(pid => {
    if (!/^\d+$/.test(pid)) return false
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0').includes(word)
    } catch {
      return false
    }
  })
}

let words = 0
/** A number of seconds that no one else sleeps. */
const napTime = () => `${1000 + process.pid}.${++words}`

for (const ISOLATE of ['pid', 'no']) {
  test(`ISOLATE=${ISOLATE}: a background child that holds the pipe does not hold up the end of a step`, async t => {
    const nap = napTime()
    const f = new StepsFixture(new Sandbox(t), { a: `sleep ${nap} & echo done` }, { ISOLATE })
    t.same(await f.run(), { verdict: 'success' })
    t.equal(f.said('a'), 'done\n')
    t.same(running(nap), [])
  })

  test(`ISOLATE=${ISOLATE}: a daemon with a session of its own ends with its step`, async t => {
    const nap = napTime()
    const f = new StepsFixture(
      new Sandbox(t),
      { a: `setsid sleep ${nap} >/dev/null 2>&1 & sleep 0.1` },
      { ISOLATE },
    )
    t.same(await f.run(), { verdict: 'success' })
    t.same(running(nap), [])
  })

  test(`ISOLATE=${ISOLATE}: a step that says nothing runs into LINE_TIMEOUT, and one that ignores TERM is killed`, async t => {
    const nap = napTime()
    const settings = { ISOLATE, LINE_TIMEOUT: '0.3' }
    const f = new StepsFixture(
      new Sandbox(t),
      { a: `trap 'echo TERM; exit 3' TERM; sleep ${nap} & wait` },
      settings,
    )
    t.same(await f.run(), {
      verdict: 'timeout',
      step: 'a',
      why: "step 'a' said nothing for 0.3 s (LINE_TIMEOUT)",
    })
    t.equal(f.exit('a'), 'timeout')
    t.equal(f.said('a'), 'TERM\n')
    t.same(running(nap), [])
  })

  test(`ISOLATE=${ISOLATE}: one stream that speaks is enough for LINE_TIMEOUT`, async t => {
    const script = 'for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.2; echo . >&$((1 + i % 2)); done'
    const f = new StepsFixture(new Sandbox(t), { a: script }, { ISOLATE, LINE_TIMEOUT: '1.5' })
    t.same(await f.run(), { verdict: 'success' })
  })

  test(`ISOLATE=${ISOLATE}: STEP_TIMEOUT and JOB_TIMEOUT end a step that speaks, and cleaning up comes after`, async t => {
    for (const name of ['STEP_TIMEOUT', 'JOB_TIMEOUT']) {
      const steps = { a: 'while :; do echo .; sleep 0.05; done', 'b.always': 'echo clean' }
      const f = new StepsFixture(new Sandbox(t), steps, { ISOLATE, [name]: '0.4' })
      t.match(await f.run(), { verdict: 'timeout', step: 'a', why: new RegExp(name) })
      t.equal(f.exit('a'), 'timeout')
      t.equal(f.exit('b.always'), '0')
    }
  })

  test(`ISOLATE=${ISOLATE}: a cancel ends a step and what cleans up after it, and nothing else runs`, async t => {
    const nap = napTime()
    const f = new StepsFixture(
      new Sandbox(t),
      {
        a: `trap '' TERM; echo up; sleep ${nap}; sleep ${nap}`,
        b: 'true',
        'c.always': `echo clean; sleep ${nap}`,
      },
      { ISOLATE },
    )
    const outcome = f.run()
    await eventually('the step runs', () => f.said('a') === 'up\n')
    f.stop('cancelled')
    t.same(await outcome, { verdict: 'cancelled', step: 'a' })
    t.match(f.exit('a'), /^signal (TERM|KILL)$/)
    t.equal(f.exit('c.always'), 'signal KILL')
    t.notOk(f.exit('b'))
    t.same(running(nap), [])
  })

  test(`ISOLATE=${ISOLATE}: a step that ignores TERM is killed after a cancel`, async t => {
    const nap = napTime()
    const script = `trap '' TERM; echo up; sleep ${nap}; echo not yet; sleep ${nap}`
    const f = new StepsFixture(new Sandbox(t), { a: script }, { ISOLATE })
    const outcome = f.run()
    await eventually('the step runs', () => f.said('a') === 'up\n')
    f.stop('cancelled')
    t.same(await outcome, { verdict: 'cancelled', step: 'a' })
    t.equal(f.exit('a'), 'signal KILL')
    t.same(running(nap), [])
  })

  test(`ISOLATE=${ISOLATE}: a job that is lost runs nothing more`, async t => {
    const nap = napTime()
    const f = new StepsFixture(
      new Sandbox(t),
      { a: `echo up; sleep ${nap}`, 'b.always': 'true' },
      { ISOLATE },
    )
    const outcome = f.run()
    await eventually('the step runs', () => f.said('a') === 'up\n')
    f.stop('drain')
    t.same(await outcome, { verdict: 'lost', step: 'a' })
    t.match(f.exit('a'), /^signal (TERM|KILL)$/)
    t.notOk(f.exit('b.always'))
    t.same(running(nap), [])
  })

  test(`ISOLATE=${ISOLATE}: a step can kill its own group and stop itself`, async t => {
    const f = new StepsFixture(
      new Sandbox(t),
      { 'a.always': 'trap "exit 9" TERM; kill -TERM 0; sleep 1', 'b.always': 'kill -STOP $$' },
      { ISOLATE, LINE_TIMEOUT: '0.3' },
    )
    t.match(await f.run(), { verdict: 'failure', why: "step 'a.always' exited with 9" })
    t.equal(f.exit('b.always'), 'timeout')
  })

  test(`ISOLATE=${ISOLATE}: nothing is left of the steps when their runner is killed`, async t => {
    const nap = napTime()
    const sandbox = new Sandbox(t)
    const f = new StepsFixture(sandbox, { a: `setsid sleep ${nap} & (sleep ${nap}; true) & echo up; wait` })
    const runner = sandbox.start('slave/bin/steps-runner', [f.job], {
      cwd: f.work,
      env: { ...f.settings, ISOLATE },
    })
    await eventually('the step runs', () => f.said('a') === 'up\n' && running(nap).length >= 2)
    await runner.kill('SIGKILL')
    await eventually('all are gone', () => running(nap).length === 0)
    t.equal(f.exit('a'), undefined)
  })
}

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
