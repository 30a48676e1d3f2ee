import { join } from 'node:path'
import { test } from 'tap'

import { buildFault, FAULT_NEEDS, FaultState } from '../fixtures/fault.ts'
import { eventually, lacks, ROOT, Sandbox } from '../fixtures/sandbox.ts'
import { StepsFixture } from '../fixtures/steps.ts'

test('steps-runner ends as the steps did', async t => {
  const sandbox = new Sandbox(t)
  const run = (script: string, env: Record<string, string> = {}) => {
    const f = new StepsFixture(sandbox, { a: script })
    const { code, stdout, stderr } = sandbox.run('slave/bin/steps-runner', [f.job], {
      cwd: f.work,
      env: { ...f.settings, ...env },
    })
    return [code, stdout, stderr]
  }
  t.same(run('exit 0'), [0, '', ''])
  t.same(run('exit 3'), [3, '', "steps-runner: info: step 'a' exited with 3\n"])
  t.same(run('kill -9 $$'), [137, '', "steps-runner: info: step 'a' was killed by SIGKILL\n"])
  t.match(run('sleep 100', { STEP_TIMEOUT: '0.2' }), [99, '', /STEP_TIMEOUT/])
})

test('steps-runner is cancelled by TERM', async t => {
  const sandbox = new Sandbox(t)
  const f = new StepsFixture(sandbox, { a: 'echo up; sleep 1000' })
  const runner = sandbox.start('slave/bin/steps-runner', [f.job], { cwd: f.work, env: f.settings })
  await eventually('the step runs', () => f.said('a') === 'up\n')
  t.match(await runner.kill('SIGTERM'), { code: 143, stderr: '' })
  t.match(f.exit('a'), /^signal/)
})

test('steps-runner refuses a name that is no task, and a job that holds steps', async t => {
  const sandbox = new Sandbox(t)
  const f = new StepsFixture(sandbox, { a: 'true' })
  const run = (job: string) => sandbox.run('slave/bin/steps-runner', [job], { cwd: f.work, env: f.settings })
  t.match(run('job'), { code: 100, stderr: /its name is not that of a task/ })
  t.match(run(f.job), { code: 0 })
  t.match(run(f.job), { code: 100, stderr: /it holds steps already/ })
})

test(
  'a rename that was done and reported as failed, as a file server may, is no failure',
  { skip: lacks(...FAULT_NEEDS) },
  async t => {
    const sandbox = new Sandbox(t)
    const library = buildFault(sandbox.dir)
    const run = (name: string, fault?: string) => {
      const f = new StepsFixture(sandbox, { a: 'true' })
      const state = new FaultState(library, sandbox.path(name))
      const env = {
        ...f.settings,
        ...state.environment(f.job, join(ROOT, 'dist/slave/steps-runner.js'), fault),
      }
      const { code } = sandbox.run('slave/bin/steps-runner', [f.job], { cwd: f.work, env })
      const renamed = state
        .operations()
        .find(({ kind, to }) => kind === 'rename' && to.endsWith('exitcode.txt'))
      return { code, renamed: renamed?.k, exit: f.exit('a'), fired: state.fired }
    }
    const { renamed } = run('plain')
    t.match(run('lie', `${renamed}:done-ENOENT`), { code: 0, exit: '0', renamed, fired: true })
  },
)
