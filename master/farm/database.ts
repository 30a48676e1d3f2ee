// The database of a farm: its connection, and its tables, which the farmer that starts first makes or brings up to date.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'

import postgres from 'postgres'
import type { Sql } from 'postgres'

import { ROOT } from '../../lib/base/root.ts'
import { lasting, temporary } from '../../lib/base/exit.ts'

export type Database = Sql<{ bigint: number }>
export type Transaction = Parameters<Parameters<Database['begin']>[1]>[0]

/** So many connections besides the one that listens. */
const CONNECTIONS = 8

/** Numbers of jobs stay below 2^53. */
const NUMBERS = { to: 20, from: [20], serialize: String, parse: Number }

/** JSON as PostgreSQL takes it: it has no NUL, and no half of a character, as of a text that was cut. */
const toJson = (value: unknown): string =>
  JSON.stringify(value, (_, one: unknown) =>
    typeof one === 'string' ? one.replace(/[\0\p{Cs}]/gu, '\ufffd') : one,
  )

const JSON_TYPE = {
  to: 3802,
  from: [114, 3802],
  serialize: toJson,
  parse: JSON.parse as (text: string) => unknown,
}

/** Connects, lazily, to the database at this address; a passing farmer holds no session state. */
export function connect(url: string): Database {
  const address = parseAddress(url)
  // As libpq has it, `?host=/DIRECTORY` is where a socket is.
  const socket = address.searchParams.get('host')
  address.searchParams.delete('host')
  return postgres(address.href, {
    ...(socket === null ? {} : { host: socket }),
    max: CONNECTIONS,
    types: { bigint: NUMBERS, json: JSON_TYPE },
    connection: { application_name: 'bass-farmer' },
    // The messages of `if not exists` and the like.
    onnotice: () => undefined,
    connect_timeout: 10,
  })
}

function parseAddress(url: string): URL {
  if (!/^postgres(?:ql)?:/.test(url) || !URL.canParse(url))
    throw lasting('read the setting DATABASE_URL', 'it is no address such as postgres://USER@HOST/NAME')
  return new URL(url)
}

/** How long a transaction may be of which its farmer says nothing more, as a setting of PostgreSQL. */
const IDLE_MAX = '10s'

/** What a transaction does whose connection has ended: postgres.js is not to write its rollback there, nor its commit. */
const never = new Promise<never>(() => undefined)

/**
 * Runs a transaction of several statements. One whose farmer is stopped, or is cut off from the database, is ended by that:
 * what it had locked, all farmers wait for. Where the database ends the connection it rejects, and the farm goes on: whatever
 * was written to that connection later would be an exception nobody can catch, or hold up the next that is given it.
 */
export async function transact<T>(db: Database, act: (sql: Transaction) => Promise<T>): Promise<T> {
  let isOver = false
  const whole = db.begin(async sql => {
    const guarded = new Proxy(sql, {
      apply: (target, self, args: Parameters<Transaction>) => {
        if (isOver) throw temporary('go on with a transaction', 'its connection has ended')
        return Reflect.apply(target, self, args) as unknown
      },
    })
    try {
      await sql`select set_config('idle_in_transaction_session_timeout', ${IDLE_MAX}, true)`
      const result = await act(guarded)
      if (!isOver) return result
    } catch (error) {
      // Where the connection is closed, `whole` has been rejected in the next turn.
      await turn()
      if (!isOver && !endsConnection(error)) throw error
    }
    return never
  })
  try {
    return (await whole) as T
  } finally {
    isOver = true
  }
}

const endsConnection = (error: unknown): boolean =>
  error instanceof postgres.PostgresError && error.severity === 'FATAL'

const DIRECTORY = join(ROOT, 'master/farm/sql')

/** The steps that make the tables, in order, and in the end what works on them. */
function migrations(): { version: number; text: string }[] {
  return readdirSync(DIRECTORY)
    .filter(name => /^\d{3}-.*\.sql$/.test(name))
    .sort()
    .map(name => ({ version: Number(name.slice(0, 3)), text: readFileSync(join(DIRECTORY, name), 'utf8') }))
}

/** Makes the tables, or brings them up to date; several farmers may start at once. Returns how many steps it took. */
export async function migrate(db: Database): Promise<number> {
  const steps = migrations()
  const known = steps.at(-1)!.version
  try {
    return await transact(db, async sql => {
      await sql`select pg_advisory_xact_lock(1178686030)`
      await sql`create table if not exists migration (version int primary key, at timestamptz not null default now())`
      const [{ version }] =
        (await sql`select coalesce(max(version), 0) as version from migration`) as unknown as [
          { version: number },
        ]
      if (version > known) {
        throw lasting(
          'use the database',
          `its tables are of version ${version}, and this farmer knows ${known}; start a newer farmer`,
        )
      }
      const missing = steps.filter(step => step.version > version)
      for (const step of missing) {
        await sql.unsafe(step.text)
        await sql`insert into migration (version) values (${step.version})`
      }
      return missing.length
    })
  } catch (error) {
    throw temporary('prepare the database', error)
  }
}
