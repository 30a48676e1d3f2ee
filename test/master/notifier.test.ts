import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { linesOf, Notified } from '../fixtures/notified.ts'
import { buildFault, FAULT_NEEDS, FaultState } from '../fixtures/fault.ts'
import { eventually, lacks, ROOT } from '../fixtures/sandbox.ts'

test('each policy is told what it asks for, in order, and once', async t => {
  const site = new Notified(t)
  const logs = {
    changes: site.channel('a'),
    failures: site.channel('b.failures'),
    all: site.channel('c.all'),
  }
  const notifier = await site.notifier()
  const other = { ref: 'refs/heads/topic' }
  for (const verdict of ['success', 'failure', 'timeout', 'cancelled', 'success', 'success'] as const)
    site.end(verdict)
  site.end('failure', other)
  site.end('failure', {}, 'linux-aarch64')
  site.end('lost', { retriedAs: '99:hello:v1:linux-x86_64' })
  site.end('error', other)
  await site.settled()
  t.same(site.told(logs.changes), [
    '2:hello:v2:linux-x86_64 failure',
    '5:hello:v5:linux-x86_64 success',
    '7:hello:v7:linux-x86_64 failure',
    '8:hello:v8:linux-aarch64 failure',
  ])
  const failures = [2, 3, 7, 8, 10]
  t.same(
    site.told(logs.failures).map(line => parseInt(line)),
    failures,
  )
  t.same(
    linesOf(logs.all).map(line => line.split('.', 2).join('.')),
    Array.from({ length: 10 }, (_, i) =>
      ['waiting', 'running', 'over'].map(stage => `${i + 1}.${stage}`),
    ).flat(),
  )
  t.equal((await notifier.kill('SIGTERM')).code, 0)
})

test('that a task waits and runs is told as it happens', async t => {
  const site = new Notified(t)
  const log = site.channel('c.all')
  // It is laid out bit by bit here, so an event may come before there is something to see.
  await site.notifier({ WATCH: 'poll' })
  const stages = () => linesOf(log).map(line => line.split('.')[1])
  const name = '1:hello:v1:linux-x86_64'
  site.maker.waitingTask(name)
  await eventually('it waits', () => stages().includes('waiting'))
  rmSync(join(site.spool.tasks.cur, name), { recursive: true })
  site.maker.runningJob(name)
  await eventually('it runs', () => stages().includes('running'))
  t.same(stages(), ['waiting', 'running'])
})

test('an older job that ends late changes nothing for its ref', async t => {
  const site = new Notified(t)
  const log = site.channel('a')
  await site.notifier()
  const end = (verdict: 'success' | 'failure', num: number) => site.end(verdict, {}, 'linux-x86_64', num)
  end('success', 1)
  end('failure', 3)
  await site.settled()
  end('success', 2)
  await eventually('the old one is seen', () => site.ls(site.channels()[0]!, 'done').includes('2.over'))
  end('failure', 4)
  end('success', 5)
  await site.settled()
  t.same(
    site.told(log).map(line => parseInt(line)),
    [3, 5],
  )
})

test('a new channel is not told what is over already, and one that was there is told what it missed', async t => {
  const site = new Notified(t)
  const first = site.channel('first.all')
  for (let i = 0; i < 3; i++) site.end('failure')
  const before = await site.notifier()
  site.end('failure')
  await site.settled()
  await before.kill('SIGKILL')
  t.same(site.told(first).at(-1), '4:hello:v4:linux-x86_64 failure')

  site.end('success')
  const second = site.channel('second.failures')
  site.end('failure')
  await site.notifier()
  site.end('error')
  await site.settled()
  t.same(site.told(second), ['7:hello:v7:linux-x86_64 error'])
  const told = new Set(site.told(first).map(line => parseInt(line)))
  t.ok(
    [4, 5, 6, 7].every(num => told.has(num)),
    [...told].join(),
  )
})

test('what is pruned is forgotten, and so is a channel that was taken away', async t => {
  const site = new Notified(t)
  site.channel('a.all')
  site.channel('dead.all', 'exit 1')
  let notifier = await site.notifier()
  site.end('failure')
  await eventually('it is told', () => site.ls('spool/notices/hello/program-a.all/done').includes('1.over'))
  t.same(site.ls('spool/notices/hello/program-dead.all/new'), ['1.over', '1.running', '1.waiting'])
  await notifier.kill('SIGTERM')

  rmSync(join(site.spool.root, 'conf/hello/notify.d/a.all'))
  rmSync(site.path('spool/tasks/old', '1:hello:v1:linux-x86_64'), { recursive: true })
  rmSync(site.path('spool/jobs/cur', '1:hello:v1:linux-x86_64'), { recursive: true })
  notifier = await site.notifier()
  await eventually('it is forgotten', () => site.ls('spool/notices/hello/program-dead.all/new').length === 0)
  await eventually('the state of its ref too', () => site.ls('spool/notices/hello/refs').length === 0)
  t.same(site.ls('spool/notices/hello'), ['program-dead.all', 'refs'])
  const warning = "unable to tell 'hello/program-dead.all 1.over': its job has been pruned meanwhile"
  await eventually('it is said', () => notifier.stderr().includes(warning))
})

test('of two notifiers one tells, and the other one goes on when it has ended', async t => {
  const site = new Notified(t)
  const log = site.channel('log.all')
  const first = await site.notifier()
  const second = site.start('master/bin/notifier')
  await eventually('it stands by', () => second.stderr().includes('this one stands by'))
  site.end('success')
  await site.settled()
  t.same(second.stderr().match(/tells of hello/), null)
  await first.kill('SIGTERM')
  site.end('success')
  await site.settled()
  t.match(second.stderr(), 'tells of hello')
  t.equal(new Set(linesOf(log)).size, 6)
  t.equal(linesOf(log).length, 6)
})

test('a channel that is added is told of what ends from then on, without a new start', async t => {
  const site = new Notified(t)
  site.channel('old.all')
  const notifier = await site.notifier()
  site.end('success')
  await site.settled()
  const log = site.channel('new.all')
  site.end('success')
  const both = 'tells of hello: program-new.all (all), program-old.all (all)'
  await eventually('the settings are read again', () => notifier.stderr().includes(both))
  site.end('success')
  await site.settled()
  t.same(new Set(site.told(log).map(line => parseInt(line))), new Set([3]))

  // While they are written anew there may be none, for an instant: what is known of the channels stays.
  renameSync(join(site.spool.root, 'conf/hello/notify.d'), site.path('aside'))
  site.end('success')
  await eventually('nobody is told', () => notifier.stderr().includes('tells of hello: nobody'))
  renameSync(site.path('aside'), join(site.spool.root, 'conf/hello/notify.d'))
  site.end('success')
  await site.settled()
  const told = () => new Set(site.told(log).map(line => parseInt(line)))
  await eventually('they are told what they missed', () => told().size === 3)
})

test('a bad REPORTER_URL is refused at the start; later, what is told has no links', async t => {
  const site = new Notified(t)
  const log = site.channel('log', 'echo "$BASS_URL." >>"$LOG"')
  const refused = {
    code: 100,
    stderr:
      "unable to tell of 'hello': unable to read the setting REPORTER_URL: 'ci.example.org' is no address",
  }
  site.configure({ REPORTER_URL: 'ci.example.org' })
  t.match(site.run('master/bin/notifier'), refused)
  site.configure({ REPORTER_URL: 'https://ci.example.org/' })
  const notifier = await site.notifier()
  site.end('failure')
  await eventually('it is told', () => linesOf(log).length === 1)
  site.configure({ REPORTER_URL: 'https://ci.example.org/below' })
  await eventually(
    'it is said',
    () => /unable to link to the pages of 'hello': .*below/.test(notifier.stderr()),
    60,
  )
  site.end('success')
  await eventually('it is told as well', () => linesOf(log).length === 2)
  t.same(linesOf(log), ['https://ci.example.org/job/1.', '.'])
})

test('settings that could not be read are read again, though no file has changed that is known', async t => {
  const site = new Notified(t)
  site.channel('log.all')
  const conf = join(site.spool.root, 'conf/other')
  mkdirSync(join(conf, 'notify.d'), { recursive: true })
  writeFileSync(join(conf, 'notify.d/log.all'), '#!/bin/sh\n', { mode: 0o755 })
  writeFileSync(join(conf, 'rc'), `. '${site.path('common')}'\nPROJECT=other\n`)
  // Five minutes pass quicker here.
  const clock = site.path('clock.cjs')
  writeFileSync(
    clock,
    'const now = performance.now.bind(performance)\nperformance.now = () => now() * 1000\n',
  )
  const env = { WATCH: 'poll', POLL_INTERVAL: '0.1', NODE_OPTIONS: `--require=${clock}` }
  const notifier = await site.notifier(env)
  t.match(notifier.stderr(), /unable to read the channels of 'other'/)
  writeFileSync(site.path('common'), '')
  await eventually('it is told of', () => notifier.stderr().includes('tells of other: program-log.all (all)'))
  t.equal(notifier.stderr().match(/the channels of/g)?.length, 1)
  t.equal(notifier.stderr().match(/tells of hello/g)?.length, 1)
})

test('a spool where nobody is to be told is an error that lasts', async t => {
  const site = new Notified(t)
  const { code, stderr } = site.run('master/bin/notifier')
  t.equal(code, 100)
  t.match(stderr, /^notifier: fatal: unable to tell anybody: no project has NOTIFY_MAIL/)
  site.configure({ NOTIFY_WEBHOOK: 'http://127.0.0.1:1/token-in-path', NOTIFY_KEY: 'short' })
  const refused = site.run('master/bin/notifier').stderr
  t.match(refused, 'unable to sign for a webhook: NOTIFY_KEY is to have 16 characters or more')
  t.notMatch(refused, 'token-in-path')
})

test(
  'a notifier that cannot list conf/ ends at once with 111, or goes on and says so',
  { skip: lacks(...FAULT_NEEDS) },
  async t => {
    const site = new Notified(t)
    const log = site.channel('a')
    const library = buildFault(site.dir)
    const program = join(ROOT, 'dist/master/notifier.js')
    const conf = join(site.spool.root, 'conf')
    const looking = (state: FaultState, fault?: string) => ({
      ...state.environment(conf, program, fault),
      FAULT_LOOKS: '1',
      FAULT_ONLY: 'list conf',
    })
    const atStart = new FaultState(library, site.path('start'))
    const ended = site.run('master/bin/notifier', [], { env: looking(atStart, '1+:EIO') })
    t.ok(atStart.fired)
    t.equal(ended.code, 111)
    t.match(ended.stderr, /^notifier: fatal: unable to scandir '.*conf': i\/o error\n$/)

    // How often it lists until it stands, and then fails at the next.
    const counted = new FaultState(library, site.path('count'))
    const quiet = { WATCH: 'poll', POLL_INTERVAL: '0.3' }
    await (await site.notifier({ ...quiet, ...looking(counted) })).kill('SIGKILL')
    const later = new FaultState(library, site.path('later'))
    const running = await site.notifier({
      ...quiet,
      ...looking(later, `${counted.operations().length + 6}+:EIO`),
    })
    await eventually('the fault', () => later.fired, 60)
    site.end('failure')
    await site.settled()
    t.equal(site.told(log).length, 1, 'it goes on')
    t.match(running.stderr(), /unable to look through '.*': i\/o error/)
    t.equal((await running.kill('SIGTERM')).code, 0)
  },
)
