import { existsSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { test } from 'tap'

import { statusLines, verb } from '../../bin/status.ts'
import { call } from '../fixtures/in-process.ts'
import { eventually, lacks, ROOT, Sandbox } from '../fixtures/sandbox.ts'
import { SpoolMaker } from '../fixtures/spool-maker.ts'

const SECOND = 1000
const HOUR = 3600 * SECOND

function make(t: ConstructorParameters<typeof Sandbox>[0]) {
  const sandbox = new Sandbox(t)
  const maker = new SpoolMaker(sandbox.makeSpool())
  return { maker, sandbox, status: (...argv: string[]) => call(verb, argv, sandbox.env) }
}

function busySpool(maker: SpoolMaker): void {
  const now = Date.now()
  maker.taker({ host: 'h1', slot: '/slots/0' })
  maker.taker({ host: 'h1', slot: '/slots/1', beat: null })
  maker.taker({ host: 'h2', slot: '/slots/0', beat: now - 2 * HOUR })
  maker.finishedJob('8:hello:1.0:linux-x86_64', {
    claimed: now - 3 * HOUR,
    ended: now - 3 * HOUR + 40 * SECOND,
  })
  maker.finishedJob('9:other:2.0:linux-x86_64', {
    place: 'cur',
    verdict: 'failure',
    claimed: now - HOUR - 9500,
    ended: now - HOUR,
  })
  maker.runningJob('10:hello:1.1:linux-x86_64', {
    claimed: now - 12 * SECOND,
    steps: [{ name: '10-build', exit: '0' }, { name: '20-test' }],
  })
  maker.waitingTask('11:hello:1.1:linux-arm64', { made: now - 12 * SECOND })
  maker.waitingTask('12:hello:1.2:linux-x86_64', { made: now - 3 * SECOND })
}

test('status shows what runs, what waits and why, and what is over', async t => {
  const { maker, status } = make(t)
  busySpool(maker)
  maker.pause('project:other')
  const { code, stdout } = await status()
  t.equal(code, 0)
  // A machine that is busy takes some seconds to get here.
  const soon = stdout
    .replace(/ \d\ds of/, ' 12s of')
    .replace(/ \d\d s ago$/m, ' 12 s ago')
    .replace(/ \d s ago$/m, ' 3 s ago')
  t.equal(
    soon,
    `running
  10  hello  main  1.1  linux-x86_64  20-test  12s of 40s  h1

queued
  no taker for linux-arm64 has been seen
    11  hello  main  1.1  linux-arm64  12 s ago
  the one taker for linux-x86_64 is busy
    12  hello  main  1.2  linux-x86_64  3 s ago

over
  9  other  main  2.0  linux-x86_64  failure 10-test  9.5s  1 h ago
  8  hello  main  1.0  linux-x86_64  success           40s  2 h ago

3 takers: 1 busy, 1 stopped, 1 silent (h2 /slots/0, 2 h ago)
paused: project other
`,
  )
})

test('what has just ended counts for how long the next one takes', async t => {
  const { maker, status } = make(t)
  const claimed = Date.now() - 90 * SECOND
  maker.finishedJob('1:hello:1.0:linux-x86_64', { place: 'cur', claimed, ended: claimed + 70 * SECOND })
  maker.finishedJob('2:other:1.0:linux-x86_64', { place: 'cur', claimed, ended: claimed + 5 * SECOND })
  maker.runningJob('3:hello:1.1:linux-x86_64', { claimed: claimed + 80 * SECOND })
  t.match((await status()).stdout, /3 {2}hello {2}main {2}1\.1 {2}linux-x86_64 .* of 1m 10s/)
})

test('status of a project leaves the others out', async t => {
  const { maker, status } = make(t)
  busySpool(maker)
  const { stdout } = await status('other')
  t.match(stdout, /^over\n {2}9 .*\n\n3 takers/)
})

test('status of a new spool says what to do', async t => {
  const { status } = make(t)
  t.equal(
    (await status()).stdout,
    "nothing yet: a push, or 'bass event PROJECT', makes a task\n\nno taker has been seen\n",
  )
})

test('a first push is there, whether or not a task-maker runs', async t => {
  const { sandbox, status } = make(t)
  const event = sandbox.path('spool/revs/hello/refs/heads/main', 'a'.repeat(40))
  mkdirSync(dirname(event), { recursive: true })
  writeFileSync(event, '')
  t.match(await status(), { code: 0, stdout: /^events\n {2}hello: 1 event waits to become tasks/ })
  t.match(await status('hello'), { code: 0, stdout: /^events\n {2}hello: 1 event waits to become tasks/ })
})

test('a project that the spool does not know is refused, with those that it does', async t => {
  const { maker, status } = make(t)
  busySpool(maker)
  t.match(await status('nosuch'), {
    code: 100,
    stdout: '',
    stderr: "unable to find the project 'nosuch': the projects of this spool are 'hello'",
  })
  t.match(await status('hello'), { code: 0 })
  t.match(await status('other'), { code: 0 }, 'one that has no events any more, but jobs')
})

test('-n says how many finished tasks are shown', async t => {
  const { maker, status } = make(t)
  for (let num = 1; num <= 12; num++) maker.finishedJob(`${num}:hello:1.0:a`)
  const shown = async (...argv: string[]) =>
    (await status(...argv)).stdout.split('\n').filter(line => / {2}success {2}/.test(line)).length
  t.same(
    [await shown(), await shown('-n', '11'), await shown('-n', '3'), await shown('-n', '0')],
    [10, 11, 3, 0],
  )
  t.match(await status('-n', 'x'), { code: 100, stderr: "'x' is not a number from 0 to 9999" })
})

test('the subject of each commit comes last, and a narrow terminal shows less of each task', async t => {
  const { maker, sandbox, status } = make(t)
  sandbox.ok('git', ['init', '-q', 'hello'])
  const revision = (subject: string) => {
    sandbox.git(sandbox.path('hello'), 'commit', '-q', '--allow-empty', '-m', subject)
    return sandbox.git(sandbox.path('hello'), 'rev-parse', 'HEAD')
  }
  maker.runningJob('10:hello:20261127-0123456:linux-x86_64', {
    revision: revision('Run it'),
    steps: [{ name: '10-x' }],
  })
  maker.waitingTask('11:hello:20261127-0123456:linux-x86_64', { revision: revision('Wait \x1b[31mfor it') })
  maker.finishedJob('9:hello:20261127-0123456:linux-x86_64', {
    revision: revision('End it'),
    verdict: 'failure',
  })
  maker.finishedJob('8:hello:20261127-0123456:linux-x86_64', { revision: 'f'.repeat(40) })
  const conf = sandbox.path('spool/conf/hello')
  mkdirSync(conf, { recursive: true })
  writeFileSync(`${conf}/rc`, `PROJ=${sandbox.path('hello')}\n`)
  const { stdout } = await status()
  t.match(stdout, / {2}10 {2}hello .* Run it\n/)
  t.match(stdout, / {2}11 {2}hello .* Wait \?\[31mfor it\n/)
  t.match(stdout, / {2}9 {2}hello .* End it\n/)
  t.match(stdout, / {2}8 {2}hello .* ago\n/, 'of what the repository does not have nothing is said')

  const status60 = JSON.parse((await status('--json')).stdout) as Parameters<typeof statusLines>[0]
  const lines = (columns: number) =>
    statusLines(
      status60,
      { columns, colours: false, paint: (_, text) => text },
      60_000,
      () => 'A subject of some length',
    )
  for (const columns of [60, 80, 100, 200]) {
    for (const line of lines(columns)) t.ok(line.length <= columns, `${columns}: ${line}`)
  }
  t.match(lines(60).join('\n'), /9 {2}hello {2}main {2}failure 10-test .* ago {2}A subj/)
  t.match(
    lines(200).join('\n'),
    /9 {2}hello {2}main {2}20261127-0123456 {2}linux-x86_64 {2}failure .*A subject of some length/,
  )
})

test('events that are still to become tasks are shown when they are late', async t => {
  const { maker, sandbox, status } = make(t)
  maker.finishedJob('1:hello:v:testarch')
  const event = (path: string, age: number) => {
    const at = sandbox.path('spool/revs', path)
    mkdirSync(dirname(at), { recursive: true })
    writeFileSync(at, '')
    const time = new Date(Date.now() - age)
    utimesSync(at, time, time)
  }
  event('hello/refs/heads/main/0123456789abcdef0123456789abcdef01234567', 3000)
  t.notMatch((await status()).stdout, /event.* to become/)
  event('.making/hello/T/refs/heads/main/1123456789abcdef0123456789abcdef01234567', 180_000)
  event('.making/hello/T/names', 900_000)
  const { stdout } = await status()
  t.match(
    stdout,
    'hello: 2 events wait to become tasks, the oldest came 3 min ago; does its task-maker run?\n',
  )
  const { events } = JSON.parse((await status('--json')).stdout) as { events: unknown[] }
  t.match(events, [{ project: 'hello', count: 2 }])
})

test('status for programs is one JSON object', async t => {
  const { maker, status } = make(t)
  busySpool(maker)
  const json = JSON.parse((await status('--json')).stdout) as Record<string, unknown>
  t.same(Object.keys(json), [
    'now',
    'takers',
    'crew',
    'paused',
    'waiting',
    'running',
    'held',
    'recent',
    'events',
  ])
  t.match(json, {
    waiting: [
      { num: 11, wait: { reason: 'unseen', place: 1 } },
      { num: 12, wait: { reason: 'busy' } },
    ],
    running: [{ num: 10, expected: 40, job: { steps: [{ state: 'success' }, { state: 'running' }] } }],
    recent: [{ num: 9, job: { verdict: 'failure' } }, { num: 8 }],
  })
})

test('a job that stopped beating is called silent', async t => {
  const { maker, status, sandbox } = make(t)
  maker.runningJob('1:p:v:a')
  sandbox.ok('touch', ['-d', '1 hour ago', sandbox.path('spool/jobs/cur/1:p:v:a/alive')])
  t.match((await status()).stdout, /setting up .*silent for 1h 00m/)
})

test('names that a job chose cannot drive the terminal', async t => {
  const { maker, status } = make(t)
  maker.runningJob('1:p:v:a', { steps: [{ name: '10-\x1b[2Jx' }] })
  const { stdout } = await status()
  t.match(stdout, '10-?[2Jx')
  t.notMatch(stdout, /\x1b/) // eslint-disable-line no-control-regex -- it is what must not be there
})

test('status watched needs a terminal', async t => {
  const { status } = make(t)
  t.match(await status('--watch'), { code: 100, stderr: /standard output is no terminal/ })
})

test(
  'status watched draws in place until Ctrl-C, and leaves the terminal as it was',
  { skip: lacks('script') },
  async t => {
    const { maker, sandbox } = make(t)
    busySpool(maker)
    const seen = sandbox.path('seen')
    const watching = sandbox.start('script', ['-qfec', `exec ${ROOT}/bin/bass status --watch`, seen])
    const drawn = () => readFileSync(seen, 'latin1').split('\x1b[H').length > 2
    await eventually('it has drawn twice', () => existsSync(seen) && drawn())
    for (const pid of childrenOf(watching.pid)) process.kill(pid, 'SIGINT')
    t.equal((await watching.ended).code, 0)
    const text = readFileSync(seen, 'latin1')
    t.match(text, /running.*\x1b\[K\r\n/) // eslint-disable-line no-control-regex -- it is how a line is drawn anew
    t.match(text, '\x1b[?25h\x1b[?1049l')
  },
)

const childrenOf = (pid: number) =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number)
