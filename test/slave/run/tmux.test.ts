import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { eventually, lacks, Sandbox } from '../../fixtures/sandbox.ts'
import { StepsFixture } from '../../fixtures/steps.ts'

const skip = lacks('tmux')
const tmux = (f: StepsFixture, ...args: string[]) =>
  spawnSync('tmux', ['-S', '.tmux', ...args], { cwd: f.work, encoding: 'utf8' })

test('with JOB_TMUX=yes a person can watch, and a success leaves nothing running', { skip }, async t => {
  const f = new StepsFixture(new Sandbox(t), { a: 'echo hello; sleep 1' }, { JOB_TMUX: 'yes' })
  const outcome = f.run()
  await eventually('the output is in the window', () =>
    tmux(f, 'capture-pane', '-p').stdout.includes('hello'),
  )
  t.same(await outcome, { verdict: 'success' })
  t.equal(f.said('a'), 'hello\n')
  t.not(tmux(f, 'has-session').status, 0)
})

test('after a failure the verdict comes at once, and the session waits for Enter', { skip }, async t => {
  const settings = { JOB_TMUX: 'yes', FAILED_JOB_WAITTIME: '60' }
  const f = new StepsFixture(new Sandbox(t), { a: 'exit 3' }, settings)
  t.same(await f.run(), { verdict: 'failure', step: 'a', why: "step 'a' exited with 3" })
  await eventually('it says what to do', () => tmux(f, 'capture-pane', '-p').stdout.includes('Press Enter'))
  t.ok(existsSync(f.work))

  // Attached by its own executable, in a terminal made by `script`.
  const typed = { input: '\n', encoding: 'utf8', env: { ...process.env, TERM: 'xterm' } } as const
  spawnSync(
    'sh',
    ['-c', `(sleep 1; echo; sleep 1) | timeout 20 script -qec '${f.work}/tmux' /dev/null`],
    typed,
  )
  await eventually('the temporary directory is gone', () => !existsSync(f.work))
})

test('a session that waits ends by itself', { skip }, async t => {
  const settings = { JOB_TMUX: 'yes', FAILED_JOB_WAITTIME: '1' }
  const f = new StepsFixture(new Sandbox(t), {}, settings)
  t.match(await f.run(), { verdict: 'error', why: /no steps/ })
  await eventually('the temporary directory is gone', () => !existsSync(f.work))
})

test('a cancel reaches the steps in tmux, and so does Ctrl-C', { skip }, async t => {
  const sandbox = new Sandbox(t)
  for (const cancel of [
    (f: StepsFixture) => f.stop('cancelled'),
    (f: StepsFixture) => tmux(f, 'send-keys', 'C-c'),
  ]) {
    const f = new StepsFixture(
      sandbox,
      { a: 'echo up; sleep 1000' },
      { JOB_TMUX: 'yes', FAILED_JOB_WAITTIME: '60' },
    )
    const outcome = f.run()
    await eventually('the step runs', () => f.said('a') === 'up\n')
    cancel(f)
    t.same(await outcome, { verdict: 'cancelled', step: 'a' })
    await eventually('the session is over', () => tmux(f, 'has-session').status !== 0)
  }
})

test('the steps in tmux end when their taker is killed', { skip }, async t => {
  const sandbox = new Sandbox(t)
  const f = new StepsFixture(sandbox, { a: 'echo up; sleep 1000' })
  const env = { ...f.settings, JOB_TMUX: 'yes' }
  const runner = sandbox.start('slave/bin/steps-runner', [f.job], { cwd: f.work, env })
  await eventually('the step runs', () => f.said('a') === 'up\n')
  await runner.kill('SIGKILL')
  await eventually('the step has ended', () => f.exit('a') !== undefined)
  await eventually('the session is over', () => tmux(f, 'has-session').status !== 0)
})

test('a window that is killed is an error to be tried again, and leaves no step', { skip }, async t => {
  const f = new StepsFixture(new Sandbox(t), { a: 'echo up; sleep 1000' }, { JOB_TMUX: 'yes' })
  const outcome = f.run()
  await eventually('the step runs', () => f.said('a') === 'up\n')
  const pid = Number(tmux(f, 'list-panes', '-F', '#{pane_pid}').stdout)
  process.kill(pid, 'SIGKILL')
  await t.rejects(outcome, { exitCode: 111, message: /their window was killed/ })
  t.notOk(existsSync(join(f.job, 'steps', 'a', 'exitcode.txt')))
})
