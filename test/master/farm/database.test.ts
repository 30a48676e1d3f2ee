// Transactions whose connection the database ends, as where it is started anew, or has waited for a farmer too long.

import { test } from 'tap'

import { connect, transact } from '../../../master/farm/database.ts'
import type { Database, Transaction } from '../../../master/farm/database.ts'
import { Postgres } from '../../fixtures/postgres.ts'

const sleep = (ms: number) => new Promise(done => setTimeout(done, ms))

test('a transaction whose connection is ended rejects, and takes nothing else with it', async t => {
  const { url } = await new Postgres(t).start()
  const [db, other] = [connect(url), connect(url)]
  t.teardown(() => Promise.all([db.end({ timeout: 0 }), other.end({ timeout: 0 })]))
  const end = (pid: number) => other`select pg_terminate_backend(${pid})`
  const acts: Record<string, (sql: Transaction, pid: number) => Promise<unknown>> = {
    'in a statement': (sql, pid) => Promise.all([sql`select pg_sleep(20)`, sleep(50).then(() => end(pid))]),
    'between two statements': async (sql, pid) => {
      await end(pid)
      await sleep(100)
      await sql`select 2`
    },
    'before it is committed': async (_, pid) => {
      await end(pid)
      await sleep(100)
    },
    'after what it did has failed': async (_, pid) => {
      await end(pid)
      await sleep(100)
      throw new Error('it failed')
    },
  }
  for (const [when, act] of Object.entries(acts)) {
    const run = transact(db, async sql => {
      const [row] = await sql<{ pid: number }[]>`select pg_backend_pid() as pid`
      return act(sql, row!.pid)
    })
    await t.rejects(run, { code: 'CONNECTION_CLOSED' }, when)
    // The next question on that connection may be told of its end once more.
    await answers(db)
    t.equal(await answers(db), 30, `${when}: all connections are well`)
  }
  t.equal(await transact(db, () => Promise.resolve(1)), 1)
  await t.rejects(
    transact(db, sql => sql`select 1/0`),
    { code: '22012' },
  )
  await t.rejects(
    transact(db, () => Promise.reject(new Error('mine'))),
    { message: 'mine' },
  )
})

/** How many of 30 questions, more than there are connections, are answered. */
async function answers(db: Database): Promise<number> {
  let count = 0
  const asked = Array.from({ length: 30 }, () => db`select pg_sleep(0.01)`.then(() => count++))
  await Promise.race([Promise.allSettled(asked), sleep(3000)])
  return count
}
