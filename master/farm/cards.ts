// Workers, laid out for the pages as a spool has its takers: `takers/HOST:SLOT`, with what each says of itself and its last sign
// of life.

import { rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { makeDirectories } from '../../lib/system/directories.ts'
import type { Spool } from '../../lib/spool/spool.ts'
import { toPart } from '../../lib/spool/task-name.ts'
import type { Database } from './database.ts'

interface Row {
  readonly host: string
  readonly slot: string
  readonly arch: string
  readonly version: string
  readonly seen: Date
}

export class Cards {
  readonly #takers: string
  readonly #db: Database
  /** The text of each card, by its path. */
  readonly #shown = new Map<string, string>()

  constructor(spool: Spool, db: Database) {
    this.#takers = spool.takers
    this.#db = db
  }

  /** Brings the layout up to date. */
  async refresh(): Promise<void> {
    const db = this.#db
    const rows = await db<Row[]>`select host, slot, arch, version, seen from worker`
    const there = new Set<string>()
    for (const { host, slot, arch, version, seen } of rows) {
      const card = join(this.#takers, `${host}:${toPart(slot.replace(/^\//, ''), 120)}`)
      there.add(card)
      this.#write(card, `host=${host}\nslot=${slot}\narch=${arch}\nversion=${version}\n`)
      utimesSync(join(card, 'alive'), seen, seen)
    }
    for (const card of this.#shown.keys()) {
      if (there.has(card)) continue
      rmSync(card, { recursive: true, force: true })
      this.#shown.delete(card)
    }
  }

  /** Writes a card that is new, or says something else: of hundreds of workers, nearly all have but a new sign of life. */
  #write(card: string, about: string): void {
    if (this.#shown.get(card) === about) return
    makeDirectories(card)
    writeFileSync(join(card, 'about.txt'), about)
    writeFileSync(join(card, 'alive'), '')
    this.#shown.set(card, about)
  }
}
