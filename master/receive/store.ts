// Deliveries on their way to the disk. Those that come while others are being stored are stored together: in a burst, many
// share what the disk takes for one.

import { inboxOf, makeInbox, storeDeliveries } from './inbox.ts'
import type { NewDelivery } from './inbox.ts'
import type { Spool } from '../../lib/spool/spool.ts'
import { isErrno } from '../../lib/base/errno.ts'

type Stored = 'stored' | 'there'

interface Waiting {
  readonly delivery: NewDelivery
  readonly done: (stored: Stored) => void
  readonly failed: (error: unknown) => void
}

export class Store {
  readonly #spool: Spool
  /** The deliveries of this turn of the event loop, by project. */
  #waiting = new Map<string, Waiting[]>()

  constructor(spool: Spool) {
    this.#spool = spool
  }

  /** Resolves when a delivery is durable; rejects if it is not known to be. */
  put(project: string, delivery: NewDelivery): Promise<Stored> {
    if (this.#waiting.size === 0) setImmediate(() => this.#storeAll())
    return new Promise((done, failed) => {
      const group = this.#waiting.get(project) ?? []
      group.push({ delivery, done, failed })
      this.#waiting.set(project, group)
    })
  }

  #storeAll(): void {
    const groups = this.#waiting
    this.#waiting = new Map()
    for (const [project, group] of groups) {
      try {
        const stored = this.#store(
          project,
          group.map(({ delivery }) => delivery),
        )
        for (const [i, { done }] of group.entries()) done(stored[i]!)
      } catch (error) {
        for (const { failed } of group) failed(error)
      }
    }
  }

  #store(project: string, deliveries: readonly NewDelivery[]): Stored[] {
    const inbox = inboxOf(this.#spool, project)
    try {
      return storeDeliveries(this.#spool, inbox, deliveries)
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error
      makeInbox(inbox)
      return storeDeliveries(this.#spool, inbox, deliveries)
    }
  }
}
