// Works off what a table holds: woken by notifications, and now and then without one.

import { setTimeout as sleep } from 'node:timers/promises'

import { warnOnce } from '../../lib/system/log.ts'
import type { Database } from './database.ts'

/** How often to look for what no notification tells of: tries that are due. In milliseconds. */
const DUE_LOOK_MS = 1000

export class WorkLoop {
  readonly #db: Database
  readonly #doing: readonly [verb: string, object: string]
  readonly #one: () => Promise<boolean>
  #wake: () => void = () => undefined
  #closed = false
  #loop: Promise<void> | undefined

  /** `one` works off one row; false if there is none. What it throws is reported as `doing`, and tried again later. */
  constructor(db: Database, doing: readonly [verb: string, object: string], one: () => Promise<boolean>) {
    this.#db = db
    this.#doing = doing
    this.#one = one
  }

  /** Begins, and listens to the notifications of `channel`. */
  async open(channel: string): Promise<void> {
    const ring = () => this.#wake()
    await this.#db.listen(channel, ring, ring)
    this.#loop = this.#run()
  }

  /** Resolves when the row in hand is worked off. */
  async close(): Promise<void> {
    this.#closed = true
    this.#wake()
    await this.#loop
  }

  #isClosed(): boolean {
    return this.#closed
  }

  async #run(): Promise<void> {
    while (!this.#isClosed()) {
      const bell = new Promise<void>(done => (this.#wake = done))
      try {
        while (!this.#isClosed() && (await this.#one()));
      } catch (error) {
        warnOnce(...this.#doing, error)
      }
      await Promise.race([bell, sleep(DUE_LOOK_MS, undefined, { ref: false })])
    }
  }
}
