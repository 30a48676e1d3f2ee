// Queues of others on the same PostgreSQL: graphile-worker and pg-boss, and the least that SQL can do.

import type { Database } from '../../master/farm/database.ts'
import { FarmGround, rivalModule } from './farm-ground.ts'

/** A queue whose jobs do nothing. */
export interface Queue {
  /** Queues so many jobs, which are worked off at once, and resolves when all were. */
  drain(count: number): Promise<void>
  /** Queues one and resolves when a worker has it. */
  one(): Promise<void>
  close(): Promise<void>
}

/** So many jobs are in hand at once, of whoever works them off. */
export const HANDS = 8

/** Resolves when as many have come as were waited for. */
class Counter {
  #left = 0
  #done: () => void = () => undefined

  wait(count: number): Promise<void> {
    this.#left = count
    return new Promise(done => (this.#done = done))
  }

  count(): void {
    if (--this.#left === 0) this.#done()
  }
}

/** Claims with SKIP LOCKED, woken by NOTIFY: one statement a job. */
export async function plainSql(ground: FarmGround): Promise<Queue> {
  const db: Database = await ground.connect(false)
  await db.unsafe('create table job (id bigserial primary key); create table result (id bigint primary key)')
  const counter = new Counter()
  let closed = false
  const bells = new Set<() => void>()
  await db.listen('job', () => bells.forEach(ring => ring()))
  const hand = async () => {
    while (!closed) {
      let ring: () => void = () => undefined
      const bell = new Promise<void>(done => (ring = done))
      bells.add(ring)
      const rows =
        await db`with one as (delete from job where id = (select id from job order by id limit 1 for update skip locked)
        returning id) insert into result select id from one returning id`
      if (rows.length > 0) counter.count()
      else await bell
      bells.delete(ring)
    }
  }
  const hands = Array.from({ length: HANDS - 1 }, hand)
  const add = async (count: number) => {
    const done = counter.wait(count)
    await db`with made as (insert into job select from generate_series(1, ${count}::int) returning id)
      select pg_notify('job', count(*)::text) from made`
    await done
  }
  return {
    drain: add,
    one: () => add(1),
    close: async () => {
      closed = true
      bells.forEach(ring => ring())
      await Promise.all(hands)
    },
  }
}

interface Graphile {
  run(
    options: unknown,
  ): Promise<{ stop(): Promise<void>; addJob(name: string, payload: unknown): Promise<unknown> }>
  Logger: new (factory: () => () => void) => unknown
}

export async function graphileWorker(ground: FarmGround): Promise<Queue | undefined> {
  const module = rivalModule('graphile-worker') as Graphile | undefined
  if (!module) return undefined
  const counter = new Counter()
  const url = await ground.database()
  const runner = await module.run({
    connectionString: socketUrl(url),
    concurrency: HANDS,
    noHandleSignals: true,
    logger: new module.Logger(() => () => undefined),
    taskList: { job: () => counter.count() },
  })
  const db = (await import('../../master/farm/database.ts')).connect(url)
  const add = async (count: number) => {
    const done = counter.wait(count)
    await db`select graphile_worker.add_job('job', '{}') from generate_series(1, ${count}::int)`
    await done
  }
  return {
    drain: add,
    one: () => add(1),
    close: async () => {
      await runner.stop()
      await db.end({ timeout: 0 })
    },
  }
}

interface Boss {
  start(): Promise<unknown>
  stop(options: unknown): Promise<void>
  createQueue(name: string): Promise<void>
  work(name: string, options: unknown, handler: (jobs: unknown[]) => Promise<void>): Promise<string>
  insert(jobs: unknown[]): Promise<unknown>
  on(event: string, listener: () => void): void
}

export async function pgBoss(ground: FarmGround): Promise<Queue | undefined> {
  const Boss = rivalModule('pg-boss') as (new (options: unknown) => Boss) | undefined
  if (!Boss) return undefined
  const counter = new Counter()
  const boss = new Boss({ connectionString: socketUrl(await ground.database()) })
  boss.on('error', () => undefined)
  await boss.start()
  await boss.createQueue('job')
  // It polls: twice a second is as often as it lets one. A batch makes up for that.
  for (let hand = 0; hand < HANDS; hand++) {
    await boss.work('job', { pollingIntervalSeconds: 0.5, batchSize: 50 }, jobs => {
      jobs.forEach(() => counter.count())
      return Promise.resolve()
    })
  }
  const add = async (count: number) => {
    const done = counter.wait(count)
    await boss.insert(Array.from({ length: count }, () => ({ name: 'job', data: {} })))
    await done
  }
  return { drain: add, one: () => add(1), close: () => boss.stop({ graceful: false, wait: true }) }
}

/** The address as `pg` wants it: with the socket's directory as host. */
const socketUrl = (url: string): string => {
  const address = new URL(url)
  const host = address.searchParams.get('host') ?? ''
  return `postgresql:///${address.pathname.slice(1)}?host=${encodeURIComponent(host)}&user=ci`
}
