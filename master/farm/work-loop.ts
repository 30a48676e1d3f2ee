// Works off what a table holds: woken by notifications, and now and then without one.

import { warnOnce } from '../../lib/system/log.ts'
import type { Database } from './database.ts'

/** How often to look for what no notification tells of: tries that are due. In milliseconds. */
const DUE_LOOK_MS = 1000

export class WorkLoop {
  readonly #db: Database
  readonly #doing: readonly [verb: string, object: string]
  readonly #one: () => Promise<boolean>
  readonly #most: number
  /** Those at work: one after the other each works off what there is. */
  readonly #busy = new Set<Promise<void>>()
  /** There may be something that nobody has looked for. */
  #isRung = false
  #closed = false
  #timer: NodeJS.Timeout | undefined

  /**
   * `one` works off one row; false if there is none. What it throws is reported as `doing`, and tried again later. So many rows
   * at `most` are in hand at once: one that takes long keeps no other waiting.
   */
  constructor(
    db: Database,
    doing: readonly [verb: string, object: string],
    one: () => Promise<boolean>,
    most = 1,
  ) {
    this.#db = db
    this.#doing = doing
    this.#one = one
    this.#most = most
  }

  /** Begins, and listens to the notifications of `channel`. */
  async open(channel: string): Promise<void> {
    const ring = () => this.#ring()
    await this.#db.listen(channel, ring, ring)
    this.#timer = setInterval(ring, DUE_LOOK_MS).unref()
  }

  /** Resolves when the rows in hand are worked off. */
  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#timer)
    await Promise.all(this.#busy)
  }

  #ring(): void {
    this.#isRung = true
    if (this.#isClosed() || this.#busy.size >= this.#most) return
    const work = this.#work().finally(() => this.#busy.delete(work))
    this.#busy.add(work)
  }

  #isClosed(): boolean {
    return this.#closed
  }

  async #work(): Promise<void> {
    while (this.#isRung && !this.#isClosed()) {
      this.#isRung = false
      try {
        while (!this.#isClosed() && (await this.#one()));
      } catch (error) {
        warnOnce(...this.#doing, error)
      }
    }
  }
}
