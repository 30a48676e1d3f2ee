// The transactions of the schema, one after the other and at once.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import tap, { test } from 'tap'
import type { Test } from 'tap'

import { connect, migrate } from '../../../master/farm/database.ts'
import type { Database } from '../../../master/farm/database.ts'
import { Ends } from '../../../master/farm/ends.ts'
import { Postgres } from '../../fixtures/postgres.ts'
import { ROOT } from '../../fixtures/sandbox.ts'

const server = new Postgres(tap).start()
let databases = 0

/** A database of its own on the one server of this file, without tables. */
async function create(): Promise<string> {
  const { url } = await server
  const name = `test_${++databases}`
  const admin = connect(url)
  await admin.unsafe(`create database ${name}`)
  await admin.end({ timeout: 0 })
  return url.replace('/postgres?', `/${name}?`)
}

async function open(t: Test): Promise<Database> {
  const db = connect(await create())
  t.teardown(() => db.end({ timeout: 0 }))
  await migrate(db)
  return db
}

const change = async (db: Database, name: string) =>
  (
    await db<{ id: number }[]>`
    insert into change (project, name, ref, head) values ('p', ${name}, 'r', 'h') returning id`
  )[0]!.id

const queue = async (db: Database, label: string, more: Record<string, unknown> = {}) => {
  const job = {
    project: 'p',
    ref: 'r',
    revision: 'h',
    version: 'v',
    label,
    directory: '',
    command: 'true',
    arch: 'a',
    ...more,
  }
  return (
    await db<{ num: number }[]>`select queue(jsonb_populate_record(null::job, ${db.json(job)})) as num`
  )[0]!.num
}

const worker = async (db: Database, gives = ['a']) =>
  (
    await db<{ id: string }[]>`
    insert into worker (host, slot, arch, gives, version) values ('h', '/s', 'a', ${gives}, '1') returning id`
  )[0]!.id

const runs = async (db: Database) =>
  db<{ label: string; attempt: string; worker: string; try: number }[]>`
    select label, attempt, worker, try from run join job on num = job order by run.started, num`

const finish = async (db: Database, attempt: string, verdict = 'success') =>
  (
    await db<{ stands: string | null }[]>`select stands from finish_all(${db.json([{ attempt, verdict }])})`
  )[0]!.stands

test('four farmers that start at once make the tables once', async t => {
  const url = await create()
  const dbs = Array.from({ length: 4 }, () => connect(url))
  t.teardown(() => Promise.all(dbs.map(db => db.end({ timeout: 0 }))).then(() => undefined))
  const steps = await Promise.all(dbs.map(migrate))
  const names = readdirSync(join(ROOT, 'master/farm/sql')).sort()
  t.same(steps.sort(), [0, 0, 0, names.length])
  t.match(names.at(-1), /-functions\.sql$/, 'functions are made of tables as they are in the end')
  await dbs[0]!`insert into migration (version) values (999)`
  await t.rejects(
    migrate(dbs[0]!),
    new RegExp(
      `its tables are of version 999, and this farmer knows ${parseInt(names.at(-1)!)}; start a newer farmer`,
    ),
  )
})

test('order is priority, changes in turn, the deepest directory, age', async t => {
  const db = await open(t)
  const [big, small] = [await change(db, '1'), await change(db, '2')]
  for (let i = 0; i < 20; i++) await queue(db, `big-${i}`, { change: big })
  const first = await worker(db)
  const done: string[] = []
  const next = async () => {
    const [run] = await runs(db)
    done.push(run!.label)
    await finish(db, run!.attempt)
  }
  for (let i = 0; i < 3; i++) await next()
  await queue(db, 'small', { change: small })
  await queue(db, 'deep', { change: await change(db, '3'), directory: 'x/y' })
  await queue(db, 'urgent', { change: big, priority: 5 })
  for (let i = 0; i < 5; i++) await next()
  t.same(done, ['big-0', 'big-1', 'big-2', 'big-3', 'urgent', 'deep', 'small', 'big-4'])
  t.ok(first)
})

test('an arch and a label that a job asks for are of its worker', async t => {
  const db = await open(t)
  const [plain, gpu] = [await worker(db), await worker(db, ['a', 'a:gpu'])]
  await queue(db, 'other', { arch: 'b' })
  await queue(db, 'any')
  await queue(db, 'gpu', { host: 'gpu' })
  t.match(await runs(db), [
    { label: 'any', worker: plain },
    { label: 'gpu', worker: gpu },
  ])
})

test('many workers and jobs are matched at once, and a label is not taken by what anybody could do', async t => {
  const db = await open(t)
  for (let i = 0; i < 4; i++) await worker(db, ['a', 'a:gpu'])
  await db`insert into job (project, ref, revision, version, label, arch, host) select 'p', 'r', 'h', 'v', 'gpu-' || i, 'b', 'x'
    from generate_series(1, 3) i`
  await worker(db, ['a'])
  // One statement queues all of them.
  await db`insert into job (project, ref, revision, version, label, arch, host)
    values ('p', 'r', 'h', 'v', 'any-1', 'a', null), ('p', 'r', 'h', 'v', 'gpu-1', 'a', 'gpu'), ('p', 'r', 'h', 'v', 'any-2', 'a', null),
      ('p', 'r', 'h', 'v', 'gpu-2', 'a', 'gpu'), ('p', 'r', 'h', 'v', 'gpu-3', 'a', 'gpu')`
  const labels = (await runs(db)).map(({ label }) => label)
  t.same(labels.sort(), ['any-1', 'any-2', 'gpu-1', 'gpu-2', 'gpu-3'])
  // Each of these two is the only one that one job asks for, and both can do the third.
  const [x, y] = [await worker(db, ['c', 'c:x']), await worker(db, ['c', 'c:y'])]
  await db`insert into job (project, ref, revision, version, label, arch, host)
    values ('p', 'r', 'h', 'v', 'c-any', 'c', null), ('p', 'r', 'h', 'v', 'c-x', 'c', 'x')`
  t.match(
    await db`select label, worker from run join job on job.num = run.job where arch = 'c' order by label`,
    [
      { label: 'c-any', worker: y },
      { label: 'c-x', worker: x },
    ],
  )
})

test('attempts that end at once are ended together, and one that the database refuses takes no other with it', async t => {
  const db = await open(t)
  const COUNT = 30
  for (let i = 0; i < COUNT; i++) await worker(db)
  for (let i = 0; i < 2 * COUNT; i++) await queue(db, `job-${i}`)
  const first = await runs(db)
  const ends = new Ends(db)
  const success = { verdict: 'success', steps: [], files: [] } as const
  const refused = { ...success, why: 'x'.repeat(2000), verdict: 'nonsense' as 'success' }
  await db`update job set cancelled = 'superseded' where num = (select job from run where attempt = ${first[2]!.attempt})`
  const lost = { ...success, verdict: 'cancelled', why: 'it was told to stop' } as const
  const told = await Promise.allSettled([
    ...first.map(({ attempt }, i) => ends.end(attempt, i === 1 ? refused : i === 2 ? lost : success)),
    ends.end(first[0]!.attempt, { ...success, verdict: 'failure' }),
    ends.end('00000000-0000-4000-8000-000000000000', success),
  ])
  t.match(told[1], { status: 'rejected', reason: /verdict/ })
  const answers = told.map(one => (one.status === 'fulfilled' ? one.value : 'refused'))
  const others = Array.from({ length: COUNT - 3 }, () => 'success')
  t.same(answers, ['success', 'refused', 'cancelled', ...others, 'success', null])
  t.same(await db`select error from result where verdict = 'cancelled'`, [{ error: 'superseded' }])
  const [counts] =
    await db`select (select count(*)::int from result) as results, (select count(*)::int from job) as jobs,
    (select count(distinct worker)::int from run) as runs, (select count(*)::int from "check") as checks`
  t.same(counts, { results: COUNT - 1, jobs: COUNT + 1, runs: COUNT, checks: 3 * COUNT - 1 })
})

test('a result is taken for the attempt that stands, and twice with one answer', async t => {
  const db = await open(t)
  await queue(db, 'job')
  const gone = await worker(db)
  const [lost] = await runs(db)
  await db`select lose(array[${gone}]::uuid[], true)`
  t.equal(await finish(db, lost!.attempt), null, 'a lost attempt')
  await worker(db)
  const [run] = await runs(db)
  t.equal(run?.try, 2)
  t.equal(await finish(db, run!.attempt, 'failure'), 'failure')
  t.equal(await finish(db, run!.attempt, 'success'), 'failure', 'the first answer stands')
  t.equal((await db`select 1 from job`).length, 0)
  t.same(await db`select state from "check" order by id`, [{ state: 'pending' }, { state: 'failure' }])
})

test('at the fourth loss the result is lost; what is given back is no loss', async t => {
  const db = await open(t)
  await queue(db, 'job')
  const lose = async (counts: boolean, why: string | null = null) =>
    db`select lose(array[${await worker(db)}]::uuid[], ${counts}, ${why})`
  for (let i = 0; i < 6; i++) await lose(false)
  await lose(true)
  await lose(true, 'disk full')
  await lose(true)
  t.match(await db`select losses, loss from job`, [
    { losses: 3, loss: /^attempt 9 on \S+: its worker failed$/ },
  ])
  await lose(true, 'disk full again')
  const error = 'its worker was lost 4 times, the last time: disk full again'
  t.match(await db`select verdict, try, error from result`, [{ verdict: 'lost', try: 10, error }])
})

test('what is cancelled is over at once, or told to its worker, or over with its worker', async t => {
  const db = await open(t)
  const [waits, runs1] = [await queue(db, 'waits', { arch: 'b' }), await queue(db, 'runs')]
  const gone = await worker(db)
  await db`select cancel(array[${waits}, ${runs1}]::bigint[], 'a person')`
  t.match(await db`select label, verdict, error from result`, [
    { label: 'waits', verdict: 'cancelled', error: 'a person' },
  ])
  await db`select lose(array[${gone}]::uuid[], true)`
  t.match(await db`select verdict from result order by num`, [
    { verdict: 'cancelled' },
    { verdict: 'cancelled' },
  ])
  t.equal((await db`select 1 from job`).length, 0)
})

test('each job has one verdict, whatever finishes, is lost and is queued at once', async t => {
  const db = await open(t)
  const JOBS = 150
  for (let i = 0; i < 6; i++) await worker(db)
  let queued = 0
  const submit = async () => {
    while (queued < JOBS) await queue(db, `job-${queued++}`)
  }
  const assigned = new Map<string, number>()
  const work = async (mischief: boolean) => {
    for (let idle = 0; idle < 20;) {
      const running = await runs(db)
      const run = running[Math.floor(Math.random() * running.length)]
      if (!run) {
        idle++
        await new Promise(done => setTimeout(done, 10))
        continue
      }
      idle = 0
      assigned.set(run.attempt, (assigned.get(run.attempt) ?? 0) + 1)
      if (!mischief) await finish(db, run.attempt)
      else {
        await db`select lose(array[${run.worker}]::uuid[], false)`
        await worker(db)
        t.equal(await finish(db, run.attempt).then(stands => stands === null || stands === 'success'), true)
      }
      if (mischief) await new Promise(done => setTimeout(done, 20))
    }
  }
  await Promise.all([submit(), submit(), work(false), work(false), work(false), work(true)])
  const [count] = await db<{ all: number; distinct: number }[]>`
    select count(*)::int as all, count(distinct label)::int as distinct from result`
  t.same(count, { all: JOBS, distinct: JOBS })
  t.equal((await db`select 1 from job`).length, 0)
  t.equal((await db`select 1 from run`).length, 0)
})
