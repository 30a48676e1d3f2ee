import { appendFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { verb } from '../../bin/log.ts'
import { formatLabel } from '../../lib/base/tai64n.ts'
import { call } from '../fixtures/in-process.ts'
import { ROOT, Sandbox } from '../fixtures/sandbox.ts'
import { NOON, SpoolMaker } from '../fixtures/spool-maker.ts'

const NAME = '7:hello:v1:linux-x86_64'

function make(t: ConstructorParameters<typeof Sandbox>[0]) {
  const sandbox = new Sandbox(t)
  const maker = new SpoolMaker(sandbox.makeSpool())
  return { maker, spool: sandbox.spool, log: (...argv: string[]) => call(verb, argv, sandbox.env) }
}

const steps = [
  { name: '10-build', exit: '0', from: 1, to: 2, stdout: ['one', 'three'], stderr: ['two'] },
  { name: '20-test', exit: '3', from: 2, to: 14, stdout: ['\x1b[31mred\x1b[2J'] },
]

test('log merges both streams of all steps by time, and tells how they ended', async t => {
  const { maker, log } = make(t)
  maker.finishedJob(NAME, { verdict: 'failure', steps })
  t.equal(
    (await log('7')).stdout,
    `== 10-build
    1.000 | one
    1.010 ! two
    1.020 | three
== 10-build: success, 1.0s
== 20-test
    2.000 | red
== 20-test: failure (exit 3), 12s
== 7:hello:v1:linux-x86_64: failure
`,
  )
})

test('log of one step is its lines alone, with the time as asked', async t => {
  const { maker, log } = make(t)
  maker.finishedJob(NAME, { verdict: 'failure', steps })
  // Zones that are off by half an hour are not for this test.
  const hour = String(new Date(NOON).getHours()).padStart(2, '0')
  const times: [string, string][] = [
    ['none', 'one\ntwo\nthree\n'],
    ['local', `${hour}:04:06.000 | one\n${hour}:04:06.010 ! two\n${hour}:04:06.020 | three\n`],
    [
      'label',
      [0, 10, 20]
        .map((ms, i) => `${formatLabel(NOON + 1000 + ms)} ${'|!|'[i]!} ${['one', 'two', 'three'][i]!}\n`)
        .join(''),
    ],
  ]
  for (const [how, text] of times) t.equal((await log('--time', how, '7', 'build')).stdout, text, how)
})

test('log -n begins so many lines before the end of the step that failed', async t => {
  const { maker, log } = make(t)
  maker.finishedJob(NAME, { verdict: 'failure', steps })
  t.equal(
    (await log('-n', '5', '--time', 'none', '7')).stdout,
    '== 20-test\nred\n== 20-test: failure (exit 3), 12s\n== 7:hello:v1:linux-x86_64: failure\n',
  )
  t.equal((await log('-n', '2', '--time', 'none', '7', 'build')).stdout, 'two\nthree\n')
  t.equal((await log('-n', '9', '--time', 'none', '7', 'build')).stdout, 'one\ntwo\nthree\n')
  for (const n of ['0', '-1', 'x', '1e3']) t.match(await log(`-n${n}`, '7'), { code: 100 }, n)
})

test('log for programs is a JSON object for each line, as it was written', async t => {
  const { maker, log } = make(t)
  maker.finishedJob(NAME, { verdict: 'failure', steps })
  const { stdout } = await log('--json', '7', '20-test')
  t.same(JSON.parse(stdout), {
    step: '20-test',
    stream: 'stdout',
    time: NOON + 2000,
    text: '\x1b[31mred\x1b[2J',
  })
})

test('log of what has no such step, or no job yet, says so', async t => {
  const { maker, log } = make(t)
  maker.finishedJob(NAME, { verdict: 'failure', steps })
  maker.waitingTask('8:p:v:sparc')
  t.match(await log('7', 'deploy'), {
    code: 100,
    stderr: /unable to find the step 'deploy' .*'10-build', '20-test'/,
  })
  t.match(await log('8'), { code: 111, stderr: /it waits: no taker for sparc has been seen/ })
  t.match(await log('9'), { code: 100 })
  t.match(await log('--time', 'never', '7'), { code: 100 })
})

test('a last line without a line feed, and lines without a label, are printed', async t => {
  const { maker, log } = make(t)
  const job = maker.finishedJob(NAME, { verdict: 'failure', steps: steps.slice(0, 1) })
  appendFileSync(join(job, 'steps/10-build/stdout.txt'), 'bare\n' + formatLabel(NOON + 5000) + ' cut')
  t.equal((await log('--time', 'none', '7', 'build')).stdout, 'one\ntwo\nthree\nbare\ncut\n')
})

test('log of 40,000 lines keeps all of them in order', async t => {
  const { maker, log } = make(t)
  const many = Array.from({ length: 40_000 }, (_, i) => `line ${i}`)
  maker.finishedJob(NAME, { steps: [{ name: 's', exit: '0', stdout: many }] })
  t.equal((await log('--time', 'none', '7', 's')).stdout, many.join('\n') + '\n')
})

test('log -f exits as the job did', async t => {
  const { maker, log } = make(t)
  const verdicts = { success: 0, failure: 1, timeout: 99, error: 100, lost: 111, cancelled: 143 } as const
  for (const [i, [verdict, code]] of Object.entries(verdicts).entries()) {
    maker.finishedJob(`${i}:p:v:a`, { verdict: verdict as keyof typeof verdicts })
    t.equal((await log('-f', String(i))).code, code, verdict)
  }
})

test('log -f follows a task from waiting, line by line, through a lost job, to the verdict of its retry', async t => {
  const { maker, spool, log } = make(t)
  maker.waitingTask(NAME)
  const following = log('-f', '--time', 'none', '7')
  const soon = () => new Promise(done => setTimeout(done, 200))
  await soon()
  rmSync(join(spool.tasks.cur, NAME), { recursive: true })
  const job = maker.runningJob(NAME, { steps: [{ name: '10-build', stdout: ['one'] }] })
  await soon()
  const out = join(job, 'steps/10-build/stdout.txt')
  appendFileSync(out, `${formatLabel(NOON + 1000)} tw`)
  await soon()
  appendFileSync(out, 'o\n')
  const retry = '9:hello:v1:linux-x86_64'
  writeFileSync(join(job, 'result.txt'), 'lost\n')
  await soon()
  maker.runningJob(retry, { retryOf: `${NAME} lost 1` })
  writeFileSync(join(job, 'retried-as.txt'), retry + '\n')
  renameSync(join(spool.tasks.cur, NAME), join(spool.tasks.old, NAME))
  await soon()
  writeFileSync(join(spool.jobs.cur, retry, 'result.txt'), 'success\n')
  const { code, stdout } = await following
  t.equal(code, 0)
  t.match(stdout, /^== 10-build\none\ntwo\n== 10-build: interrupted\n== 7:.*: lost/)
  t.match(stdout, /== 9:.*: success\n$/)
})

test('an empty log is no error', async t => {
  const { maker, log } = make(t)
  const job = maker.finishedJob(NAME)
  truncateSync(join(job, 'steps/10-test/stdout.txt'))
  t.equal((await log('7', '10')).stdout, '')
})

test(
  'a reader that has seen enough ends it, however much there is to print',
  { timeout: 60_000 },
  async t => {
    const { maker, spool } = make(t)
    const job = maker.finishedJob(NAME, {
      steps: [{ name: '10-x', exit: '0', from: 1, to: 2, stdout: ['one'] }],
    })
    truncateSync(join(job, 'steps/10-x/stdout.txt'), 2 ** 40)
    const sandbox = new Sandbox(t)
    const cut = 'set -o pipefail; "$0" log --time none 7 10-x | head -n 1'
    const env = { SPOOL: spool.root }
    const { code, stdout } = sandbox.run('bash', ['-c', cut, join(ROOT, 'bin/bass')], { env })
    t.same([code, stdout], [0, 'one\n'])
  },
)
