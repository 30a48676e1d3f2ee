// Which events of a project a maker takes next: those in $REVS, and those in records, each when its turn has come.

import { warnOnce } from '../../lib/system/log.ts'
import { scanEvents } from './events.ts'
import type { Event } from './events.ts'
import * as records from './record.ts'
import type { ProjectDirectories } from './record.ts'
import { pauseOf } from './tries.ts'

/** An event to be worked off, and its record if it has one already. */
export type Pending = Event & { readonly record?: string }

/** For so long records are left to the makers that began them, in milliseconds; then they may be dead, or just slow. */
export const OTHERS_TURN = 2000

/** When to try again what failed through no fault of the event, in milliseconds. */
export const SYSTEM_PAUSE = 10_000

export class EventQueue {
  readonly #project: ProjectDirectories
  /** Something below $REVS could not be looked into at the last look. */
  #unseen = false
  /** When to try each known record next, by this program's monotonic clock; undefined before the first look. */
  #turns: Map<string, number> | undefined

  constructor(project: ProjectDirectories) {
    this.#project = project
  }

  /** The events whose turn it is. */
  next(): Pending[] {
    const now = performance.now()
    const before = this.#turns
    const turns = new Map<string, number>()
    this.#turns = turns
    const pending: Pending[] = []
    for (const record of records.listRecords(this.#project)) {
      // At the first look they are from makers that are gone, as far as we know.
      const turn = before ? (before.get(record) ?? now + OTHERS_TURN) : now
      turns.set(record, turn)
      if (turn > now) continue
      turns.set(record, now + SYSTEM_PAUSE)
      try {
        const event = records.eventOf(record)
        const pause = event && !records.decisionOf(record) ? pauseOf(record) : 0
        if (pause > 0) turns.set(record, now + pause)
        if (!event) records.removeEmpty(record)
        else if (pause === 0) pending.push({ ...event, record })
      } catch (error) {
        warnOnce('look into', record, error)
      }
    }
    this.#unseen = false
    const events = scanEvents(this.#project.revs, (path, error) => {
      this.#unseen = true
      warnOnce('look into', path, error)
    })
    return [...pending, ...events]
  }

  /** After how many milliseconds to look again at the latest, unless something changes. */
  patience(): number {
    const now = performance.now()
    const turns = [...(this.#turns?.values() ?? [])].map(turn => turn - now)
    return Math.max(0, Math.min(this.#unseen ? SYSTEM_PAUSE : Infinity, ...turns))
  }

  /** Leaves a record alone for so many milliseconds. */
  rest(record: string, pause: number): void {
    this.#turns?.set(record, performance.now() + pause)
  }

  /** The record is over. */
  forget(record: string): void {
    this.#turns?.delete(record)
  }
}
