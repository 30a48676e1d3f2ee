// Every order in which two farmers and two workers can run the schema's transactions, on a real PostgreSQL: assignment, loss,
// a late result, a cancel. Whoever assigns, ends or loses holds one lock until its transaction ends, so transactions take
// effect one after the other, and their orders are all there is; that they do wait is shown first.

import { test } from 'tap'

import { connect, migrate } from '../../../master/farm/database.ts'
import type { Database } from '../../../master/farm/database.ts'
import { Postgres } from '../../fixtures/postgres.ts'

type Transaction = Parameters<Parameters<Database['begin']>[1]>[0]

const QUEUE = (label: string) =>
  `select queue(jsonb_populate_record(null::job, '{"project":"p","ref":"r","revision":"h","version":"v","label":"${label}","directory":"","arch":"a"}'))`

/** What somebody remembers of what the database has said: the attempts that each worker was given, in order. */
interface World {
  readonly sql: Transaction
  /** The worker's present id, and the attempt that it works on, which may not stand any more. */
  readonly workers: readonly { readonly id: string; readonly attempt: string | undefined }[]
  /** Answers to results: attempt and the verdict that stands, or null. */
  readonly answers: readonly (readonly [string, string, string | null])[]
}

type Step = (world: World) => Promise<World>

const register =
  (who: number): Step =>
  async ({ sql, workers, answers }) => {
    const [row] = await sql<{ id: string }[]>`insert into worker (host, slot, arch, gives, version)
      values ('h', ${String(who)}, 'a', ${['a']}, '1') returning id`
    return {
      sql,
      answers,
      workers: workers.map((one, i) => (i === who ? { id: row!.id, attempt: undefined } : one)),
    }
  }

/** The worker asks for work, which may be answered by nothing. */
const take =
  (who: number): Step =>
  async world => {
    const [row] = await world.sql<
      { attempt: string }[]
    >`select attempt from run where worker = ${world.workers[who]!.id}`
    return {
      ...world,
      workers: world.workers.map((one, i) => (i === who ? { ...one, attempt: row?.attempt } : one)),
    }
  }

/** It tells how its attempt ended, whether that stands or not; twice, since the first answer may be lost. */
const finish =
  (who: number, verdict: string): Step =>
  async world => {
    const { attempt } = world.workers[who]!
    if (attempt === undefined) return world
    const tell = async () =>
      (
        await world.sql<
          { stands: string | null }[]
        >`select stands from finish_all(${world.sql.json([{ attempt, verdict }])})`
      )[0]!.stands
    const [first, second] = [await tell(), await tell()]
    if (first !== second) throw new Error(`two answers to one result: ${String(first)} and ${String(second)}`)
    return { ...world, answers: [...world.answers, [attempt, verdict, first]] }
  }

/** A farmer has not heard of the worker, who may work on. */
const collect =
  (who: number): Step =>
  async world => {
    await world.sql`select lose(array[${world.workers[who]!.id}]::uuid[], true)`
    return world
  }

const run =
  (text: string): Step =>
  async world => {
    await world.sql.unsafe(text)
    return world
  }

const NOBODY = '00000000-0000-0000-0000-000000000000'

/** All of it takes minutes: `npm test` leaves out a cancel and a second job of the first worker. */
const ALL = process.env['FARM'] === 'long'

/** What each of them does, in its own order. */
const ACTORS: readonly (readonly Step[])[] = [
  [run(QUEUE('one')), run(QUEUE('two'))],
  [register(0), take(0), finish(0, 'success'), ...(ALL ? [take(0), finish(0, 'success')] : [])],
  [register(1), take(1), finish(1, 'failure')],
  [collect(0)],
  ...(ALL ? [[run(`select cancel(array(select num from job where label = 'two'), 'a person')`)]] : []),
]

/** What is true in every state. */
async function check({ sql, answers }: World): Promise<string> {
  const [state] = await sql<{ text: string; wrong: string | null }[]>`
    select jsonb_build_object(
        'jobs', (select jsonb_agg(jsonb_build_array(label, cancelled, losses, tried) order by label) from job),
        'runs', (select jsonb_agg(jsonb_build_array(label, slot) order by label) from run join job on num = job join worker on id = worker),
        'workers', (select jsonb_agg(slot order by slot) from worker),
        'results', (select jsonb_agg(jsonb_build_array(label, verdict, attempt is null) order by label) from result))::text as text,
      case
        when exists (select from job join result using (num)) then 'a job that is over waits'
        when exists (select label from (select label from job union all select label from result) all_ group by 1 having count(*) > 1)
          then 'a job is there twice'
        when exists (select from worker where not exists (select from run where worker = worker.id))
          and exists (select from job where cancelled is null and not exists (select from run where job = num))
          then 'a worker and a job wait for each other'
      end as wrong`
  if (state!.wrong !== null) throw new Error(state!.wrong)
  for (const [attempt, , answer] of answers) {
    const [row] = await sql<{ verdict: string }[]>`select verdict from result where attempt = ${attempt}`
    if ((row?.verdict ?? null) !== answer)
      throw new Error(`an answer that was given does not stand: ${String(answer)}`)
  }
  return state!.text
}

test('every order of their transactions leaves each job with one verdict, and nobody waiting beside work', async t => {
  const postgres = await new Postgres(t).start()
  const db = connect(postgres.url)
  t.teardown(() => db.end({ timeout: 0 }))
  await migrate(db)
  const [seen, ends] = [new Set<string>(), new Set<string>()]
  let steps = 0
  const explore = async (world: World, at: readonly number[]): Promise<void> => {
    const state = await check(world)
    const held = world.workers.map(({ attempt }) => (attempt === undefined ? '-' : 'held'))
    const key = `${at.join()} ${held.join()} ${state}`
    // Whoever came here by another way has gone on from here.
    if (seen.has(key)) return
    seen.add(key)
    const left = ACTORS.flatMap((actor, i) => (at[i]! < actor.length ? [i] : []))
    if (left.length === 0) ends.add(state)
    for (const i of left) {
      steps++
      await world.sql
        .savepoint(async sql => {
          const next = await ACTORS[i]![at[i]!]!({ ...world, sql })
          await explore(
            next,
            at.map((n, actor) => (actor === i ? n + 1 : n)),
          )
          throw new Undo()
        })
        .catch((error: unknown) => {
          if (!(error instanceof Undo)) throw error
        })
    }
  }
  await db
    .begin(async sql => {
      const nobody = { id: NOBODY, attempt: undefined }
      await explore(
        { sql, workers: [nobody, nobody], answers: [] },
        ACTORS.map(() => 0),
      )
      throw new Undo()
    })
    .catch((error: unknown) => {
      if (!(error instanceof Undo)) throw error
    })
  t.ok(ends.size > 5, `${ends.size} ends`)
  t.comment(`${seen.size} states, ${steps} transactions, ${ends.size} ends`)

  // Two at once: the second waits for the first, and sees what it did.
  const order: string[] = []
  await db.unsafe(QUEUE('three'))
  const first = db.begin(async sql => {
    await sql`select lose('{}'::uuid[], true)`
    await new Promise(done => setTimeout(done, 500))
    order.push('first')
  })
  await new Promise(done => setTimeout(done, 200))
  await Promise.all([
    first,
    db`select cancel(array(select num from job), 'a person')`.then(() => order.push('second')),
  ])
  t.same(order, ['first', 'second'])
})

/** Ends a transaction that is to leave nothing. */
class Undo extends Error {}
