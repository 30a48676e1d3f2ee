// The pages of a farm show every job in every state, whatever happens while they are brought up to date.

import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import type { Test } from 'tap'

import { migrate } from '../../../master/farm/database.ts'
import { Showcase } from '../../../master/farm/showcase.ts'
import { Farm } from '../../fixtures/farm.ts'

/** A farm with jobs, of which the first have a worker each. */
async function withJobs(t: Test, jobs: number, workers: number) {
  const farm = await Farm.make(t)
  const { db } = farm
  await migrate(db)
  for (let i = 0; i < workers; i++)
    await db`insert into worker (host, slot, arch, gives, version) values ('h', ${`/${i}`}, 'a', '{a}', '1')`
  const wish = { project: 'p', ref: 'r', revision: 'a'.repeat(40), version: 'v', directory: '', arch: 'a' }
  for (let i = 1; i <= jobs; i++)
    await db`select queue(jsonb_populate_record(null::job, ${db.json({ ...wish, label: `${i}` })}))`
  const finish = async (num: number) => {
    const [run] = await db<{ attempt: string }[]>`select attempt from run where job = ${num}`
    await db`select * from finish_all(${db.json([{ attempt: run!.attempt, verdict: 'success' }])})`
  }
  return { farm, db, finish }
}

/** Where the jobs 1 to `count` are: waiting or running, over, or nowhere. */
const placesOf = ({ spool }: Showcase, count: number) =>
  Array.from({ length: count }, (_, i) =>
    (['cur', 'old'] as const).find(place => existsSync(join(spool.tasks[place], `${i + 1}:p:v:a`))),
  )

test('a job that ends while the pages ask for what there is never vanishes', async t => {
  const { farm, db, finish } = await withJobs(t, 1, 1)
  let between: (() => Promise<void>) | undefined
  const asking = new Proxy(db, {
    apply: (target, self, args: [TemplateStringsArray]) => {
      const asked = Reflect.apply(target, self, args) as Promise<unknown>
      const act = between
      if (act === undefined || !args[0].raw[0]!.trim().startsWith('select')) return asked
      between = undefined
      return asked.then(async rows => {
        await act()
        return rows
      })
    },
  })
  const showcase = new Showcase(farm.path('pages'), asking)
  await showcase.refresh()
  t.same(placesOf(showcase, 1), ['cur'])
  between = () => finish(1)
  await showcase.refresh()
  t.same(placesOf(showcase, 1), ['old'])
})

test('what ends in a transaction that began before what is shown ended is shown', async t => {
  const { farm, db, finish } = await withJobs(t, 3, 1)
  const showcase = new Showcase(farm.path('pages'), db)
  await db.begin(async sql => {
    await sql`select 1`
    await finish(1)
    await showcase.refresh()
    await sql`select cancel(array[3]::bigint[], 'something newer was pushed')`
  })
  await showcase.refresh()
  t.same(placesOf(showcase, 3), ['old', 'cur', 'old'])
})

test('one job that cannot be laid out hides no other, and is shown when it can be', async t => {
  const { farm, db, finish } = await withJobs(t, 3, 2)
  const showcase = new Showcase(farm.path('pages'), db)
  const { tasks } = showcase.spool
  await finish(1)
  // As a disk that was full leaves them.
  mkdirSync(join(tasks.tmp, '1'))
  mkdirSync(join(tasks.cur, '2:p:v:a/x'), { recursive: true })
  await showcase.refresh()
  t.same(placesOf(showcase, 3), [undefined, undefined, 'cur'])
  await showcase.refresh()
  t.same(placesOf(showcase, 3), ['old', 'cur', 'cur'])
})

test('what was retried says so, also if others ended after it', async t => {
  const { farm, db, finish } = await withJobs(t, 2, 2)
  const showcase = new Showcase(farm.path('pages'), db)
  await finish(1)
  await finish(2)
  await showcase.refresh()
  await db`select retry(1)`
  await showcase.refresh()
  t.equal(readFileSync(join(showcase.spool.jobs.old, '1:p:v:a/retried-as.txt'), 'utf8'), '3:p:v:a\n')
})

test('others have their turn while much is laid out', async t => {
  const { farm, db } = await withJobs(t, 800, 400)
  const runs = await db<{ attempt: string }[]>`select attempt from run`
  await db`select from finish_all(${db.json(runs.map(({ attempt }) => ({ attempt, verdict: 'success' })))})`
  const showcase = new Showcase(farm.path('pages'), db)
  const began = performance.now()
  let [last, longest] = [began, 0]
  const look = setInterval(() => {
    longest = Math.max(longest, performance.now() - last)
    last = performance.now()
  }, 1)
  await showcase.refresh()
  clearInterval(look)
  longest = Math.max(longest, performance.now() - last)
  const all = performance.now() - began
  t.ok(longest < all / 2, `${longest.toFixed(0)} ms of ${all.toFixed(0)} ms`)
  t.equal(new Set(placesOf(showcase, 800)).has(undefined), false)
})
