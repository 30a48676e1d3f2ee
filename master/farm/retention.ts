// Forgets what has been over for RETENTION: results with their files, and what remains of deliveries. Files go first, so
// whatever is cut short is found again; two farmers may do it at once, and each takes it from its own pages.

import { limit } from '../../lib/base/settings.ts'
import { warnOnce } from '../../lib/system/log.ts'
import { placeOf } from './blobs.ts'
import type { Blobs } from './blobs.ts'
import type { Database } from './database.ts'

/** How often to look, in milliseconds, and how many results to forget at a time. */
const RETENTION_ROUND_MS = 60_000
const FORGOTTEN_AT_ONCE = 100

export class Retention {
  readonly #db: Database
  readonly #blobs: Blobs
  readonly #hide: (before: Date) => Promise<void>
  /** In seconds. */
  readonly #age = limit('RETENTION') / 1000
  #timer: NodeJS.Timeout | undefined
  #round: Promise<void> = Promise.resolve()
  readonly #end = new AbortController()

  /** `hide` takes from the pages what ended before a time: this farmer or another has forgotten it. */
  constructor(db: Database, blobs: Blobs, hide: (before: Date) => Promise<void>) {
    this.#db = db
    this.#hide = hide
    this.#blobs = blobs
  }

  open(): void {
    if (this.#age === Infinity) return
    const look = () => {
      this.#round = this.#round
        .then(() => this.#forget())
        .catch((error: unknown) => warnOnce('forget', 'what is older than RETENTION', error))
    }
    look()
    this.#timer = setInterval(look, Math.min(RETENTION_ROUND_MS, this.#age * 1000))
  }

  /** Resolves when what is in hand is done. */
  async close(): Promise<void> {
    this.#end.abort()
    clearInterval(this.#timer)
    await this.#round
  }

  #isOver(): boolean {
    return this.#end.signal.aborted
  }

  async #forget(): Promise<void> {
    const db = this.#db
    const [row] = await db<{ over: Date }[]>`select now() - ${this.#age} * interval '1 second' as over`
    const { over } = row!
    for (let count = FORGOTTEN_AT_ONCE; count === FORGOTTEN_AT_ONCE && !this.#isOver();) {
      const rows = await db<{ num: number }[]>`
        select num from result where ended < ${over} order by num limit ${FORGOTTEN_AT_ONCE}`
      count = rows.length
      for (const { num } of rows) {
        await this.#blobs.remove(placeOf(num))
        await db`delete from result where num = ${num}`
        if (this.#isOver()) return
      }
    }
    if (this.#isOver()) return
    await this.#hide(over)
    await db`delete from delivery where body is null and received < ${over}`
  }
}
