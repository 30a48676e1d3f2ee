// One step in a session on this machine, with each of the things that can end it.

import { closeSync, mkdirSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import type { Place } from '../../../slave/run/places/place.ts'
import { NamespacePlace } from '../../../slave/run/places/namespace.ts'
import { SessionPlace } from '../../../slave/run/places/session.ts'
import { Pools } from '../../../slave/run/places/pools.ts'
import { isGood, runStep } from '../../../slave/run/run-step.ts'
import type { StepPlan } from '../../../slave/run/run-step.ts'
import { napTime, running } from '../../fixtures/conformance.ts'
import { eventually, lacks, Sandbox } from '../../fixtures/sandbox.ts'

const NEVER = { setting: 'NEVER', milliseconds: Infinity }

function make(t: ConstructorParameters<typeof Sandbox>[0], script: string, more: Partial<StepPlan> = {}) {
  const box = new Sandbox(t)
  for (const name of ['job', 'work', 'work/tmp']) mkdirSync(box.path(name))
  const stop = new AbortController()
  const place = new SessionPlace(box.path('work'))
  t.teardown(() => place.close())
  const plan: StepPlan = {
    name: 'a',
    command: ['/bin/sh', '-c', script],
    directory: box.path('work'),
    env: { PATH: process.env['PATH']!, TMPDIR: box.path('work/tmp') },
    job: box.path('job'),
    work: box.path('work'),
    secrets: [],
    place,
    pools: new Pools(),
    log: 1000,
    line: NEVER,
    time: [],
    mercy: Infinity,
    stop: stop.signal,
    hurry: stop.signal,
    ...more,
  }
  const read = (file: string) =>
    readFileSync(box.path('job/steps/a', file), 'utf8').replace(/^@[0-9a-f]{24} /gm, '')
  return { box, stop, read, ls: () => box.ls('job/steps/a'), run: () => runStep(plan) }
}

test('a step leaves its times, its streams and last of all its exit code', async t => {
  const { read, ls, run } = make(t, 'echo out; echo err >&2; exit 3')
  t.same(await run(), { end: { code: 3 }, stopped: false })
  t.same(ls().sort(), ['ended', 'exitcode.txt', 'started', 'stderr.txt', 'stdout.txt'])
  t.same(['stdout.txt', 'stderr.txt', 'exitcode.txt'].map(read), ['out\n', 'err\n', '3\n'])
})

test('0 and 77 are good ends, other codes and signals are not', async t => {
  t.same(
    [0, 77, 1, 78].map(code => isGood({ code })),
    [true, true, false, false],
  )
  t.notOk(isGood({ signal: 'TERM' }))
  const { read, run } = make(t, 'kill -KILL $$')
  t.same((await run()).end, { signal: 'KILL' })
  t.equal(read('exitcode.txt'), 'signal KILL\n')
})

test('a step that is silent or works for too long times out, and says by which setting', async t => {
  const line = { setting: 'LINE_TIMEOUT', milliseconds: 200 }
  const silent = make(t, 'echo begun; sleep 60', { line })
  t.match(await silent.run(), { limit: line, stopped: false })
  t.same(['stdout.txt', 'exitcode.txt'].map(silent.read), ['begun\n', 'timeout\n'])
  const time = { setting: 'STEP_TIMEOUT', milliseconds: 200 }
  const busy = make(t, 'while :; do echo x; sleep 0.02; done', {
    time: [NEVER, time],
    line: { ...line, milliseconds: 5000 },
    log: 1e6,
  })
  t.match(await busy.run(), { limit: time })
  t.notOk(busy.ls().includes('stopped.txt'))
})

test('a step that is told to end has the word beside its exit code, unless it ended well', async t => {
  const told = make(t, 'echo begun; sleep 60')
  const running = told.run()
  await eventually('its first line', () => told.ls().includes('stdout.txt') && told.read('stdout.txt') !== '')
  told.stop.abort('cancelled')
  t.match(await running, { stopped: true })
  t.equal(told.read('stopped.txt'), 'cancelled\n')
  const polite = make(t, 'trap "exit 0" TERM; echo begun; while :; do sleep 0.02; done')
  const ending = polite.run()
  await eventually(
    'its first line',
    () => polite.ls().includes('stdout.txt') && polite.read('stdout.txt') !== '',
  )
  polite.stop.abort('drain')
  t.match(await ending, { end: { code: 0 }, stopped: true })
  t.notOk(polite.ls().includes('stopped.txt'))
})

test('a log is cut where LOG_MAX ends, secrets are hidden in it, and the step goes on', async t => {
  const seen: string[] = []
  const { box, read, run } = make(t, 'echo my-secret; head -c 5000 /dev/zero | tr "\\0" x; touch done', {
    secrets: ['my-secret'],
    tee: bytes => seen.push(bytes.toString()),
  })
  t.same((await run()).end, { code: 0 })
  t.ok(box.ls('work').includes('done'))
  const text = read('stdout.txt')
  t.notMatch(text, 'my-secret')
  t.match(text, /LOG_MAX allows 1000 bytes/)
  t.ok(text.length < 2000, `${text.length} bytes`)
  t.notMatch(seen.join(''), 'my-secret')
})

test('what a step leaves behind is ended with it, and does not hold up its end', async t => {
  const { box, run } = make(t, `sleep 300 & echo $! >pid; exit 0`)
  t.same((await run()).end, { code: 0 })
  const pid = readFileSync(join(box.dir, 'work/pid'), 'utf8').trim()
  // A zombie may wait for the first process of the machine.
  t.equal(box.run('grep', ['-qs', '^State:[[:space:]]*[RSDT]', `/proc/${pid}/status`]).code === 0, false)
})

test('a step whose start cannot be noted is ended', async t => {
  const nap = napTime()
  const { box, run } = make(t, `sleep ${nap}`)
  mkdirSync(box.path('job/steps/a/started'), { recursive: true })
  await t.rejects(run(), { message: /unable to write '.*started'/ })
  t.same(running(nap), [])
})

test(
  'the files of a log are closed when nothing can be written into them any more',
  { skip: process.getuid?.() !== 0 && 'needs root' },
  async t => {
    // It has said all before it could be told to end.
    const place: Place = {
      start: ({ stdout, stderr }) => {
        writeSync(stdout, 'begun\n')
        for (const fd of [stdout, stderr]) closeSync(fd)
        const nothing = () => undefined
        const ended = Promise.resolve({ code: 0 })
        return Promise.resolve({
          ended,
          over: true,
          end: nothing,
          signal: nothing,
          leave: () => Promise.resolve(),
        })
      },
      close: () => Promise.resolve(),
    }
    const { box, stop, run } = make(t, '', { place })
    box.ok('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'full', box.path('job')])
    t.teardown(() => box.ok('umount', [box.path('job')]))
    mkdirSync(box.path('job/steps/a/started'), { recursive: true })
    box.run('sh', ['-c', 'cat /dev/zero >"$0"', box.path('job/full')])
    let over = false
    const ending = t.rejects(run(), { message: /started/ }).then(() => (over = true))
    await new Promise(done => setTimeout(done, 500))
    t.equal(over, false, 'the log waits for room')
    stop.abort('cancelled')
    await ending
  },
)

test('a step that the system could not start leaves its place all the same', async t => {
  let left = 0
  const place: Place = {
    start: ({ stdout, stderr }) => {
      for (const fd of [stdout, stderr]) closeSync(fd)
      const nothing = () => undefined
      const ended = Promise.reject(new Error('no process'))
      ended.catch(nothing)
      const leave = () => {
        left++
        return Promise.resolve()
      }
      return Promise.resolve({ ended, over: true, end: nothing, signal: nothing, leave })
    },
    close: () => Promise.resolve(),
  }
  const { ls, run } = make(t, '', { place })
  await t.rejects(run(), { message: 'no process' })
  t.equal(left, 1)
  t.notOk(ls().includes('exitcode.txt'))
})

test(
  'a room that is gone when a step is to start in it is no failure of the step',
  { skip: lacks('unshare') || lacks('perl') },
  async t => {
    const pools = new Pools()
    const { run } = make(t, 'true', { place: new NamespacePlace(pools), pools })
    t.same((await run()).end, { code: 0 })
    const childrenOf = (pid: number) =>
      readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean).map(Number)
    for (const first of childrenOf(process.pid).flatMap(childrenOf)) process.kill(first, 'SIGKILL')
    // Nobody has heard of it yet.
    await t.rejects(run(), { message: /pid namespace is gone/ })
    t.same((await run()).end, { code: 0 })
  },
)

test('an error of the job directory is no end of a step', async t => {
  const { box, stop, run } = make(t, 'true')
  box.ok('rm', ['-r', box.path('job')])
  stop.abort('lost')
  await t.rejects(run())
})
