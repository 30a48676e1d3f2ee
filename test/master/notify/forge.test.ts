import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'

import fc from 'fast-check'
import { test } from 'tap'

import { verdictsFirst } from '../../../master/notify/forge.ts'
import { Pace } from '../../../master/notify/pace.ts'
import { StandIn } from '../../fixtures/forges/stand-in.ts'
import { Notified } from '../../fixtures/notified.ts'
import { eventually } from '../../fixtures/sandbox.ts'
import type { Test } from 'tap'

async function opened(t: Test, kind: 'github' | 'gitea', more: Record<string, string> = {}) {
  const standIn = await StandIn.open(t, kind)
  const settings = { FORGE: standIn.forge, FORGE_TOKEN: 'a_token', REPORTER_URL: 'https://ci.test/', ...more }
  return { standIn, site: new Notified(t, settings) }
}

const told = (standIn: StandIn) => standIn.statuses.map(({ state, context }) => `${state} ${context}`)

test('each job is a check beside its commit', async t => {
  const { standIn, site } = await opened(t, 'github')
  await site.notifier()
  site.end('success')
  site.end('failure', {}, 'linux-aarch64')
  site.end('cancelled', {}, 'plan9-mips')
  site.end('lost', { retriedAs: '9:hello:v4:linux-x86_64' })
  await site.settled()
  t.same(standIn.lies, [])
  const over = standIn.statuses.filter(({ state }) => state !== 'pending')
  t.match(over, [
    { state: 'success', context: 'hello linux-x86_64', target_url: 'https://ci.test/job/1' },
    { state: 'failure', context: 'hello linux-aarch64', target_url: 'https://ci.test/job/2' },
    { state: 'error', context: 'hello plan9-mips', description: /^cancelled/ },
  ])
  t.ok(standIn.statuses.every(({ description }) => description.length <= 140))
  t.notMatch(
    standIn.statuses.map(({ description }) => description).join(),
    /running on/,
    'GitHub is spared that',
  )
})

test('what waits and runs is pending, and where it runs is said to those who have room for it', async t => {
  const { standIn, site } = await opened(t, 'gitea')
  await site.notifier({ WATCH: 'poll' })
  const name = '1:hello:v1:linux-x86_64'
  site.maker.waitingTask(name)
  await eventually('it waits', () => standIn.statuses.length === 1)
  t.match(standIn.statuses[0], {
    state: 'pending',
    context: 'hello linux-x86_64',
    description: 'queued: no taker for linux-x86_64 has been seen',
  })
  rmSync(join(site.spool.tasks.cur, name), { recursive: true })
  site.maker.runningJob(name)
  await eventually('it runs', () => standIn.statuses.length === 2)
  t.match(standIn.statuses[1], { state: 'pending', description: /^running on / })
  t.same(standIn.lies, [])
})

test('a forge that is away is told all of it later, and the last state is the verdict', async t => {
  const { standIn, site } = await opened(t, 'gitea')
  standIn.fault = () => ({ status: 503 })
  await site.notifier()
  for (const verdict of ['success', 'failure', 'success'] as const) site.end(verdict)
  await eventually('it has tried', () => standIn.asked.length > 1)
  t.same(standIn.statuses, [])
  standIn.fault = () => undefined
  await site.settled()
  t.match(told(standIn).at(-1), 'success')
  t.ok(told(standIn).includes('failure hello linux-x86_64'))
})

test('a commit and context that is full is given up at once, said once, and holds up no other', async t => {
  const { standIn, site } = await opened(t, 'github')
  const full = '/statuses/' + 'a'.repeat(40)
  standIn.fault = ({ path }) =>
    path.endsWith(full)
      ? {
          status: 422,
          body: {
            message: 'Validation Failed',
            errors: [{ message: 'This SHA and context has reached the maximum number of statuses.' }],
          },
        }
      : undefined
  const notifier = await site.notifier()
  site.end('failure', { revision: 'a'.repeat(40) })
  site.end('success', { revision: 'a'.repeat(40) })
  site.end('success', { revision: 'b'.repeat(40) })
  await site.settled()
  t.ok(told(standIn).includes('success hello linux-x86_64'))
  t.equal(standIn.asked.filter(({ path }) => path.endsWith(full)).length, 1)
  const said = notifier.stderr().split('\n')
  t.match(
    said.filter(line => line.includes('422')),
    [/Nothing more is told of 'hello linux-x86_64' at a{40}; it is not tried again/],
  )
  t.equal(said.filter(line => line.includes('422')).length, 1)
})

test('a status of a commit that the forge does not have yet is tried again', async t => {
  const { standIn, site } = await opened(t, 'github')
  let tries = 0
  standIn.fault = ({ method }) =>
    method === 'POST' && ++tries <= 2
      ? { status: 422, body: { message: 'No commit found for SHA: ' + 'a'.repeat(40) } }
      : undefined
  await site.notifier()
  site.end('success', { revision: 'a'.repeat(40) })
  await eventually('it is told', () => told(standIn).includes('success hello linux-x86_64'))
  t.ok(tries > 2)
})

test('a wait that the forge asked for is asked for once more of a new notifier, and nothing is lost', async t => {
  const { standIn, site } = await opened(t, 'github')
  const until = performance.now() + 6000
  let refused = 0
  standIn.fault = ({ method }) => {
    const left = until - performance.now()
    if (method !== 'POST' || left <= 0) return undefined
    refused++
    return { status: 429, headers: { 'Retry-After': String(Math.ceil(left / 1000)) } }
  }
  const first = await site.notifier()
  for (const verdict of ['failure', 'failure', 'success'] as const) site.end(verdict)
  await eventually('it was told to wait', () => refused > 0)
  await first.kill('SIGKILL')
  const before = refused
  await site.notifier()
  await site.settled()
  t.ok(refused - before <= 1, `the new one was refused ${refused - before} times`)
  t.equal(told(standIn).at(-1), 'success hello linux-x86_64')
})

test('Retry-After is obeyed', async t => {
  const { standIn, site } = await opened(t, 'github')
  const times: number[] = []
  standIn.fault = () => {
    times.push(performance.now())
    return times.length === 1
      ? { status: 403, headers: { 'Retry-After': '4' }, body: { message: 'slow' } }
      : undefined
  }
  await site.notifier()
  for (let i = 0; i < 3; i++) site.end('success')
  await site.settled()
  t.ok(times[1]! - times[0]! >= 3990, `${times[1]! - times[0]!} ms`)
})

test('killed between a status and its record, it tells the same again, and nothing older after it', async t => {
  const { standIn, site } = await opened(t, 'gitea')
  let notifier = await site.notifier()
  let kills = 0
  for (let round = 1; round <= 3; round++) {
    const before = standIn.statuses.length
    // The forge has it; the notifier never hears of that.
    standIn.more = {}
    const killing = new Promise<void>(done => {
      standIn.after = () => {
        standIn.after = undefined
        kills++
        void notifier.kill('SIGKILL').then(() => done())
      }
    })
    site.end(round % 2 === 0 ? 'failure' : 'success')
    await killing
    t.ok(standIn.statuses.length > before)
    notifier = await site.notifier()
    await site.settled()
    t.match(standIn.statuses.at(-1), { state: round % 2 === 0 ? 'failure' : 'success' })
  }
  t.equal(kills, 3)
})

test('no older state comes after a newer one, in whatever order they are told', async t => {
  const { standIn, site } = await opened(t, 'gitea')
  // The first job's verdict is refused until the second's was told.
  standIn.fault = ({ method }) =>
    method === 'POST' && standIn.statuses.length === 0 && standIn.asked.length < 3
      ? { status: 422 }
      : undefined
  await site.notifier()
  site.end('failure')
  await eventually('it was refused', () => standIn.asked.length >= 2)
  site.end('success')
  await site.settled()
  t.equal(told(standIn).at(-1), 'success hello linux-x86_64')
})

test('verdicts are told before what waits', async t => {
  const key = (num: number, stage: 'waiting' | 'running' | 'over') => ({ num, stage })
  const pending = [key(1, 'waiting'), key(1, 'over'), key(2, 'waiting'), key(3, 'over'), key(4, 'running')]
  t.same(
    verdictsFirst(pending).map(({ num, stage }) => `${num}.${stage}`),
    ['1.over', '3.over', '1.waiting', '2.waiting', '4.running'],
  )
})

test('a pace is never above its limits, and what can wait leaves room', async t => {
  const limits = [
    { most: 5, patient: 3, span: 60 },
    { most: 20, patient: 12, span: 1000 },
  ]
  fc.assert(
    fc.property(
      fc.array(fc.record({ gap: fc.nat(30), patient: fc.boolean() }), { maxLength: 150 }),
      calls => {
        const pace = new Pace(limits)
        const made: number[] = []
        let now = 0
        for (const { gap, patient } of calls) {
          now += gap
          const wait = pace.wait(now, patient)
          if (wait > 0) continue
          pace.note(now)
          made.push(now)
        }
        return limits.every(({ most, span }) =>
          made.every((time, i) => i < most || time - made[i - most]! >= span),
        )
      },
    ),
  )
  const pace = new Pace(limits)
  for (let i = 0; i < 3; i++) pace.note(0)
  t.equal(pace.wait(10, false), 0)
  t.equal(pace.wait(10, true), 50)
})

test('a pace is held as long as the forge wants to be left alone', async t => {
  const pace = new Pace([{ most: 5, patient: 3, span: 60 }])
  pace.hold(100, 4000)
  pace.hold(200, 10)
  t.equal(pace.wait(1100, false), 3000)
  t.equal(pace.wait(4100, true), 0)
})

test('two projects of one forge are told at one pace', async t => {
  const { standIn, site } = await opened(t, 'gitea')
  const times: number[] = []
  standIn.fault = () => {
    times.push(performance.now())
    return times.length === 1 ? { status: 429, headers: { 'Retry-After': '3' } } : undefined
  }
  const conf = join(site.spool.root, 'conf/other')
  mkdirSync(conf)
  writeFileSync(join(conf, 'rc'), `PROJECT=other\nFORGE='${standIn.forge}'\nFORGE_TOKEN=a_token\n`)
  await site.notifier()
  site.end('success')
  await eventually('one was told to wait', () => times.length === 1)
  site.maker.finishedJob('2:other:v2:linux-x86_64', { verdict: 'success', place: 'old' })
  renameSync(
    join(site.spool.jobs.old, '2:other:v2:linux-x86_64'),
    join(site.spool.jobs.cur, '2:other:v2:linux-x86_64'),
  )
  await eventually('both are told', () => told(standIn).filter(one => one.startsWith('success')).length === 2)
  t.ok(times[1]! - times[0]! >= 2990, `the other came ${times[1]! - times[0]!} ms later`)
})

test('lines of one name in two projects on one repository are two checks', async t => {
  const { standIn, site } = await opened(t, 'github')
  const conf = join(site.spool.root, 'conf/other')
  mkdirSync(conf)
  writeFileSync(join(conf, 'rc'), `PROJECT=other\nFORGE='${standIn.forge}'\nFORGE_TOKEN=a_token\n`)
  const notifier = await site.notifier()
  await eventually('it has read both', () => notifier.stderr().includes('tells of other'))
  const label = { label: 'test' }
  site.end('success', label)
  site.maker.finishedJob('2:other:v2:linux-x86_64', { verdict: 'failure', place: 'old', ...label })
  renameSync(
    join(site.spool.jobs.old, '2:other:v2:linux-x86_64'),
    join(site.spool.jobs.cur, '2:other:v2:linux-x86_64'),
  )
  const over = () => told(standIn).filter(one => !one.startsWith('pending'))
  await eventually('both are told', () => over().length === 2)
  t.same(over().sort(), ['failure other: test', 'success hello: test'])
})

test('GitLab is told by its own states, and one that it has already is no fault', async t => {
  const told: { url: string | undefined; token: string | undefined; body: Record<string, string> }[] = []
  const states = new Map<string, string>()
  const server = createServer((request, response) => {
    void json(request).then(given => {
      const body = given as Record<string, string>
      told.push({ url: request.url, token: request.headers.authorization, body })
      const [name, state] = [body['name']!, body['state']!]
      const isSame = states.get(name) === state
      states.set(name, state)
      const message = `Cannot transition status via :run from :${state}`
      response.writeHead(isSame ? 400 : 201, { 'Content-Type': 'application/json' })
      response.end(JSON.stringify(isSame ? { message } : { id: 1, status: state, name }))
    })
  })
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  t.teardown(() => void (server.closeAllConnections(), server.close()))
  const { port } = server.address() as AddressInfo
  const site = new Notified(t, { FORGE: `gitlab:http://127.0.0.1:${port}/g/s/r`, FORGE_TOKEN: 'a_token' })
  const notifier = await site.notifier()
  const revision = 'a'.repeat(40)
  site.end('success', { revision, label: 'sdk/go test' })
  site.end('failure', { revision, label: 'docs' })
  site.end('timeout', { revision, label: 'slow' })
  site.end('cancelled', { revision, label: 'gone' })
  await site.settled()
  const last = Object.fromEntries(states)
  t.same(last, { 'sdk/go test': 'success', docs: 'failed', slow: 'failed', gone: 'canceled' })
  t.ok(told.every(({ url }) => url === `/api/v4/projects/g%2Fs%2Fr/statuses/${revision}`))
  t.ok(told.every(({ token }) => token === 'Bearer a_token'))
  // A retry of the same job with the same verdict.
  site.end('failure', { revision, label: 'docs' })
  await site.settled()
  t.equal(states.get('docs'), 'failed')
  t.notMatch(notifier.stderr(), /warning/)
})
