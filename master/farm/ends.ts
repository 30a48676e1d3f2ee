// The ends of attempts. Those that come while others are being ended are ended together: one transaction takes as long for
// many as for one.

import type { Result } from '../../lib/farm/protocol.ts'
import type { Database } from './database.ts'

/** So many are ended by one transaction at most. */
const ENDED_AT_ONCE = 100

interface Ending {
  readonly end: Result & { readonly attempt: string }
  readonly done: (stands: string | null) => void
  readonly failed: (error: unknown) => void
}

export class Ends {
  readonly #db: Database
  #waiting: Ending[] = []
  #busy = false

  constructor(db: Database) {
    this.#db = db
  }

  /** Ends an attempt; resolves with the verdict that stands, or null if the attempt does not stand and never ended a job. */
  end(attempt: string, result: Result): Promise<string | null> {
    return new Promise((done, failed) => {
      this.#waiting.push({ end: { attempt, ...result }, done, failed })
      if (!this.#busy) void this.#work()
    })
  }

  async #work(): Promise<void> {
    this.#busy = true
    while (this.#waiting.length > 0) {
      const group = this.#waiting.splice(0, ENDED_AT_ONCE)
      const isDone = await this.#endAll(group).catch(() => false)
      if (isDone) continue
      // One that the database refuses takes no other with it.
      for (const one of group) await this.#endAll([one]).catch(one.failed)
    }
    this.#busy = false
  }

  async #endAll(group: readonly Ending[]): Promise<true> {
    const ends = this.#db.json(group.map(({ end }) => end) as never)
    const rows = await this.#db<
      { nth: number; stands: string | null }[]
    >`select nth, stands from finish_all(${ends})`
    for (const { nth, stands } of rows) group[nth - 1]!.done(stands)
    return true
  }
}
