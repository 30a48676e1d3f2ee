import { test } from 'tap'

import { verb } from '../../bin/show.ts'
import { call } from '../fixtures/in-process.ts'
import { makeRepository } from '../fixtures/repository.ts'
import { Sandbox } from '../fixtures/sandbox.ts'
import { SpoolMaker } from '../fixtures/spool-maker.ts'

const NAME = '7:hello:v1:linux-x86_64'

function make(t: ConstructorParameters<typeof Sandbox>[0]) {
  const sandbox = new Sandbox(t)
  const maker = new SpoolMaker(sandbox.makeSpool())
  const show = (env: Record<string, string>, ...argv: string[]) =>
    call(verb, argv, { ...sandbox.env, ...env })
  return { maker, sandbox, show }
}

test('show tells what failed, of what it was and where it is', async t => {
  const { maker, sandbox, show } = make(t)
  const { path, commits } = makeRepository(sandbox, 'make it so')
  const claimed = Date.now() - 3 * 3600_000
  const job = maker.finishedJob(NAME, {
    revision: commits[0]!,
    params: { PUSHER: 'ada', DEPTH: '3' },
    made: claimed - 60_000,
    claimed,
    ended: claimed + 15_000,
    verdict: 'failure',
    retriedAs: '9:hello:v1:linux-x86_64',
    retryOf: '5:hello:v1:linux-x86_64 lost 1',
    artifacts: { 'report.html': 'x'.repeat(3000) },
    steps: [
      { name: '10-build', exit: '0', from: 1, to: 2 },
      { name: '20-test', exit: '3', from: 2, to: 14, stdout: ['not ok'], stderr: ['why not'] },
    ],
  })
  const { stdout } = await show({ PROJ: path, REVS: '/x/revs/hello' }, '7')
  t.equal(
    stdout,
    `${NAME}
  state       failure in 15s, 2 h ago
  ref         refs/heads/main
  revision    ${commits[0]!}
  author      Ada <ada@example.org>
  subject     make it so
  pusher      ada
  param       DEPTH=3
  made        3 h ago
  taker       h1 /slots/0
  retry of    5:hello:v1:linux-x86_64, which was lost
  retried as  9:hello:v1:linux-x86_64
  task        ${sandbox.spool.tasks.old}/${NAME}
  job         ${job}

steps
  10-build  1.0s  success
  20-test    12s  failure  exit 3

the end of 20-test
  | not ok
  ! why not

artifacts
  2.9 KiB  report.html
`,
  )
})

test('artifacts are shown whatever their names are', async t => {
  const { maker, sandbox, show } = make(t)
  const job = maker.finishedJob(NAME, {})
  const script = `mkdir -p "$0/artifacts/d" && cd "$0/artifacts" && echo x >"$(printf 'd/caf\\351')" && : >é && mv d "$(printf '\\377')"`
  sandbox.ok('sh', ['-ec', script, job])
  const { artifactFiles } = JSON.parse((await show({}, '--json', '7')).stdout) as { artifactFiles: unknown }
  t.same(artifactFiles, [
    { path: '%FF/caf%E9', bytes: 2 },
    { path: 'é', bytes: 0 },
  ])
})

test('show of a waiting task tells why it waits', async t => {
  const { maker, show } = make(t)
  maker.waitingTask('8:p:v:sparc')
  t.match(
    (await show({}, 'last')).stdout,
    /^8:p:v:sparc\n {2}state .*queued for .*\n {2}why .*no taker for sparc has been seen/,
  )
})

test('show for programs is one JSON object whose keys are always there', async t => {
  const { maker, show } = make(t)
  maker.waitingTask('8:p:v:sparc')
  maker.finishedJob(NAME, { verdict: 'error', error: 'no steps', steps: [] })
  const json = async (task: string) =>
    JSON.parse((await show({}, '--json', task)).stdout) as Record<string, unknown>
  const [waiting, over] = [await json('8'), await json('7')]
  t.same(Object.keys(waiting), Object.keys(over))
  t.match(waiting, { state: 'waiting', job: null, wait: { reason: 'unseen' }, commit: null, lastLines: [] })
  t.match(over, { state: 'over', job: { verdict: 'error', error: 'no steps' }, wait: null })
})

test('what a job named and wrote cannot drive the terminal', async t => {
  const { maker, show } = make(t)
  maker.finishedJob(NAME, {
    verdict: 'failure',
    error: 'a\x1b[2Jb\nc',
    artifacts: { 'x\x1b]0;y\x07': '' },
    steps: [{ name: '1\x1b[2J', exit: '1', stdout: ['\x1b[2J\x1b[31mred'] }],
  })
  t.notMatch((await show({}, '7')).stdout, /\x1b/) // eslint-disable-line no-control-regex -- it is what must not be there
})
