// Changes that wait for a person, laid out for the pages as a spool has them: `held/PROJECT/REF/REVISION` (lib/spool/held.ts).

import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

import { makeDirectories } from '../../lib/system/directories.ts'
import { isFilePath } from '../../lib/farm/protocol.ts'
import { listIfThere } from '../../lib/system/listing.ts'
import type { Spool } from '../../lib/spool/spool.ts'
import type { Database } from './database.ts'

/** So many are laid out: those that came last. */
const HELD_READ = 200

interface Row {
  readonly project: string
  readonly ref: string
  readonly head: string
  readonly params: Readonly<Record<string, string>>
}

export class Held {
  readonly #spool: Spool
  readonly #db: Database
  #shown = ''

  constructor(spool: Spool, db: Database) {
    this.#spool = spool
    this.#db = db
  }

  /** Brings the layout up to date. */
  async refresh(): Promise<void> {
    const db = this.#db
    const rows = await db<Row[]>`
      select project, ref, head, params from change
      where held and open and approved is distinct from head order by updated desc limit ${HELD_READ}`
    const state = JSON.stringify(rows)
    if (state === this.#shown) return
    const { root, tasks } = this.#spool
    const making = join(tasks.tmp, 'held')
    rmSync(making, { recursive: true, force: true })
    mkdirSync(making)
    for (const { project, ref, head, params } of rows) {
      if (!isFilePath(ref)) continue
      const file = join(making, project, ref, head)
      makeDirectories(dirname(file))
      const lines = Object.entries(params).map(
        ([name, value]) => `${name}=${value.replace(/[\r\n]/g, ' ')}\n`,
      )
      writeFileSync(file, lines.join(''))
    }
    const before = join(tasks.tmp, 'held-before')
    rmSync(before, { recursive: true, force: true })
    if (listIfThere(root).includes('held')) renameSync(join(root, 'held'), before)
    renameSync(making, join(root, 'held'))
    rmSync(before, { recursive: true, force: true })
    this.#shown = state
  }
}
