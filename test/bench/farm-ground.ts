// What scenarios of the farm stand on: a PostgreSQL that keeps its promises (fsync is on), a database for each contender, and
// rivals from a directory of modules that RIVALS names.

import { createHash } from 'node:crypto'
import { chmodSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'

import { connect, migrate } from '../../master/farm/database.ts'
import type { Database } from '../../master/farm/database.ts'
import { Postgres } from '../fixtures/postgres.ts'
import type { Stage } from './scenario.ts'

/** Temporary directories are made in the stage's place, where the user of PostgreSQL may pass. */
export function settle({ place }: Stage): void {
  process.env['TMPDIR'] = place.directory
  chmodSync(place.directory, 0o711)
}

export class FarmGround {
  readonly postgres: Postgres
  readonly #stage: Stage
  #databases = 0

  private constructor(stage: Stage, postgres: Postgres) {
    this.#stage = stage
    this.postgres = postgres
  }

  static async open(stage: Stage): Promise<FarmGround> {
    settle(stage)
    return new FarmGround(stage, await new Postgres(stage).start())
  }

  /** The address of a new database. */
  async database(): Promise<string> {
    const name = `bench_${++this.#databases}`
    const admin = connect(this.postgres.url)
    await admin.unsafe(`create database ${name}`)
    await admin.end({ timeout: 0 })
    return this.postgres.url.replace('/postgres?', `/${name}?`)
  }

  /** A connection to a new database, with the tables of a farm where `tables`. */
  async connect(tables: boolean): Promise<Database> {
    const db = connect(await this.database())
    this.#stage.teardown(() => db.end({ timeout: 0 }))
    if (tables) await migrate(db)
    return db
  }
}

/** Queues so many jobs, all of one change, by one statement; none is given away before all are there. */
export const fill = (db: Database, count: number, label = 'job') =>
  db`insert into job (project, ref, revision, version, label, arch)
    select 'p', 'r', ${createHash('sha1').update(label).digest('hex')}, 'v', ${label} || i, 'a' from generate_series(1, ${count}::int) i`

export async function addWorkers(db: Database, count: number): Promise<string[]> {
  const rows = await db<{ id: string }[]>`
    insert into worker (host, slot, arch, gives, version)
    select 'h', i::text, 'a', array['a', 'a:h'], '1' from generate_series(1, ${count}::int) i returning id`
  return rows.map(({ id }) => id)
}

/** A module of the directory RIVALS, in which `npm install graphile-worker@0.17 pg-boss@10` was typed; undefined if it is not there. */
export function rivalModule(name: string): unknown {
  const directory = process.env['RIVALS']
  if (directory === undefined) return undefined
  try {
    return createRequire(join(resolve(directory), 'index.js'))(name) as unknown
  } catch {
    return undefined
  }
}
