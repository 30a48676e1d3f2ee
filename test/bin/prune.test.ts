import fs, { mkdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { verb } from '../../bin/prune.ts'
import { call } from '../fixtures/in-process.ts'
import { Sandbox } from '../fixtures/sandbox.ts'
import { SpoolMaker } from '../fixtures/spool-maker.ts'

const DAY = 86_400_000

function make(t: ConstructorParameters<typeof Sandbox>[0]) {
  const sandbox = new Sandbox(t)
  const spool = sandbox.makeSpool()
  const maker = new SpoolMaker(spool)
  for (const [num, age] of [
    [1, 40],
    [2, 39],
    [3, 10],
  ] as const) {
    maker.finishedJob(`${num}:p:v:a`, { ended: Date.now() - age * DAY, claimed: Date.now() - age * DAY })
  }
  maker.finishedJob('4:p:v:a', { ended: Date.now() - 50 * DAY, place: 'cur' })
  const left = () => [...sandbox.ls('spool/tasks/old'), ...sandbox.ls('spool/jobs/old')]
  return { sandbox, spool, maker, left, prune: (...argv: string[]) => call(verb, argv, sandbox.env) }
}

test('without --commit prune only says what it would delete', async t => {
  const { left, prune } = make(t)
  const before = left()
  const { code, stdout } = await prune('--older-than', '30d')
  t.equal(code, 0)
  t.match(
    stdout,
    /^ {2}1:p:v:a {2}success {2}40 d ago\n {2}2:p:v:a .*\n2 tasks, [\d.]+ KiB: nothing was deleted, --commit does it\n$/,
  )
  t.same(left(), before)
})

test('prune deletes task and job of what is old, and leaves nothing behind', async t => {
  const { left, prune, sandbox } = make(t)
  t.match((await prune('--older-than', '30d', '--commit')).stdout, /2 tasks, .*: deleted\n$/)
  t.same(left(), ['3:p:v:a', '3:p:v:a'])
  t.same(sandbox.ls('spool/jobs/cur'), ['4:p:v:a'])
})

test('what cannot be deleted keeps nothing else from being deleted', async t => {
  const { left, prune, spool } = make(t)
  const { readdirSync, rmSync } = fs
  let stuck: string | Buffer | undefined
  const refuse = <A extends unknown[], R>(really: (path: string | Buffer, ...more: A) => R) => {
    return (path: string | Buffer, ...more: A) => {
      if (String(path).startsWith(join(spool.jobs.old, '.dead-')) && path === (stuck ??= path))
        throw Object.assign(new Error('no'), { code: 'EACCES', errno: -13 })
      return really(path, ...more)
    }
  }
  t.teardown(() => Object.assign(fs, { readdirSync, rmSync }))
  Object.assign(fs, { readdirSync: refuse(readdirSync as never), rmSync: refuse(rmSync) })
  await t.rejects(prune('--older-than', '30d', '--commit'), { code: 'EACCES' })
  Object.assign(fs, { readdirSync, rmSync })
  t.same(
    left().filter(name => !name.startsWith('.')),
    ['3:p:v:a', '3:p:v:a'],
  )
})

test('deliveries that were done long ago go with what they led to, and others stay', async t => {
  const { prune, sandbox } = make(t)
  for (const [place, id, age] of [
    ['done', 'old', 31],
    ['done', 'young', 29],
    ['doing', 'stuck', 99],
  ] as const) {
    const path = sandbox.path(`spool/inbox/web/${place}/${id}`)
    mkdirSync(path, { recursive: true })
    writeFileSync(join(path, 'delivery'), 'x')
    const time = new Date(Date.now() - age * DAY)
    utimesSync(path, time, time)
  }
  const ids = () => ['done', 'doing'].flatMap(place => sandbox.ls(`spool/inbox/web/${place}`))
  t.match((await prune('--keep-last', '9')).stdout, /^0 tasks, 0/)
  t.match((await prune('--older-than', '30d')).stdout, /\n2 tasks, 1 delivery, .*, --commit does it\n$/)
  t.same(ids(), ['old', 'young', 'stuck'])
  const { stdout } = await prune('--older-than', '30d', '--commit', '--json')
  t.match(JSON.parse(stdout), { committed: true, deliveries: 1, tasks: [{}, {}] })
  t.same(ids(), ['young', 'stuck'])
})

test('the newest of each project and architecture stay', async t => {
  const { left, maker, prune } = make(t)
  maker.finishedJob('5:p:v:b', { ended: Date.now() - 50 * DAY })
  await prune('--older-than', '30d', '--keep-last', '2', '--commit')
  t.same(left(), ['2:p:v:a', '3:p:v:a', '5:p:v:b', '2:p:v:a', '3:p:v:a', '5:p:v:b'])
  await prune('--keep-last', '1', '--commit')
  t.same(left(), ['3:p:v:a', '5:p:v:b', '3:p:v:a', '5:p:v:b'])
})

test('what has names that are not UTF-8 is counted and deleted as well', async t => {
  const { prune, sandbox } = make(t)
  const freed = async (...argv: string[]) =>
    /1 task, ([\d.]+ .iB)/.exec((await prune('--older-than', '39.5d', ...argv)).stdout)?.[1]
  const before = await freed()
  const artifacts = 'spool/jobs/old/1:p:v:a/artifacts'
  const script = `mkdir -p ${artifacts}/d && cd ${artifacts} && mv d "$(printf 'd\\351')" && head -c 500000 /dev/zero >"$(printf 'd\\351/caf\\377')"`
  sandbox.ok('sh', ['-ec', script])
  t.not(await freed(), before)
  t.match(await freed(), /^5\d\d KiB$|^49\d KiB$/)
  await prune('--older-than', '39.5d', '--commit')
  t.same(sandbox.ok('ls', ['-A', 'spool/jobs/old']).split('\n'), ['2:p:v:a', '3:p:v:a'])
})

test('what a prune that was stopped left is deleted by the next', async t => {
  const { left, prune, spool, sandbox } = make(t)
  rmSync(join(spool.tasks.old, '1:p:v:a'), { recursive: true })
  sandbox.ok('mv', [join(spool.jobs.old, '2:p:v:a'), join(spool.jobs.old, '.dead-0123456789abcdef')])
  await prune('--older-than', '30d', '--commit')
  t.same(left(), ['2:p:v:a', '3:p:v:a', '3:p:v:a'])
})

test('what a dead claimant left under the name of a pruned task goes with it', async t => {
  const { prune, sandbox } = make(t)
  sandbox.ok('mkdir', [sandbox.path('spool/jobs/tmp/1:p:v:a.0123456789abcdef')])
  sandbox.ok('mkdir', [sandbox.path('spool/jobs/tmp/9:p:v:a.0123456789abcdef')])
  await prune('--older-than', '30d', '--commit')
  t.same(sandbox.ls('spool/jobs/tmp'), ['9:p:v:a.0123456789abcdef'])
})

test('a file that another task still has is not counted as freed', async t => {
  const { prune, spool, sandbox } = make(t)
  const bytes = async () =>
    (JSON.parse((await prune('--older-than', '30d', '--json')).stdout) as { bytes: number }).bytes
  const before = await bytes()
  const big = join(spool.tasks.old, '1:p:v:a/big')
  sandbox.ok('dd', ['if=/dev/zero', `of=${big}`, 'bs=1M', 'count=1', 'status=none'])
  t.ok((await bytes()) >= before + 1_000_000)
  sandbox.ok('ln', [big, join(spool.tasks.old, '3:p:v:a/big')])
  t.ok((await bytes()) < before + 100_000)
})

test('prune without a rule, or with one that is none, deletes nothing', async t => {
  const { left, prune } = make(t)
  for (const argv of [[], ['--older-than', 'old'], ['--keep-last', 'all'], ['--commit'], ['30d']]) {
    t.match(await prune(...argv), { code: 100 })
  }
  t.equal(left().length, 6)
})

test('ages are by the clock that gave the files their times, whatever ours says', async t => {
  const { left, maker, prune } = make(t)
  maker.finishedJob('6:p:v:a', { ended: Date.now() - 60_000 })
  // Ours is 60 days ahead, then 60 behind.
  for (const ahead of [60, -60]) {
    const { now } = Date
    Date.now = () => now() + ahead * DAY
    try {
      t.match(
        (await prune('--older-than', '30d')).stdout,
        // The file server's clock may be a moment behind ours.
        /^ {2}1:p:v:a .*(?:40|39) d ago\n {2}2:p:v:a .*(?:39|38) d ago\n2 tasks/,
      )
    } finally {
      Date.now = now
    }
  }
  await prune('--older-than', '30d', '--commit')
  t.same(left(), ['3:p:v:a', '6:p:v:a', '3:p:v:a', '6:p:v:a'])
})
