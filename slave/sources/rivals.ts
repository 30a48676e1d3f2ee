// A task that was lost in this slot goes to another one, as long as there is one that could take it: what made it fail may
// be here. Whether another taker lives is judged by this process's own clock: its beat changes, or it does not.

import { join } from 'node:path'

import { parseParams } from '../../lib/spool/event.ts'
import { readOwner } from '../../lib/spool/job.ts'
import { readRetryOf } from '../../lib/spool/retry.ts'
import { paused } from '../../lib/spool/spool.ts'
import type { TaskName } from '../../lib/spool/task-name.ts'
import { readIfThere, timeOf } from '../../lib/system/durable.ts'
import { listIfThere } from '../../lib/system/listing.ts'
import type { Slot } from './slot.ts'

/** A taker that beat so lately is alive, in milliseconds; it beats each second. */
const ALIVE = 5000
/** How long a task is left to others at most, in milliseconds: they may be busy for days. */
const LEFT_TO_OTHERS_MAX_MS = 600_000

interface Seen {
  beat: number | null
  since: number
}

export class Rivals {
  readonly #slot: Slot
  readonly #cards = new Map<string, Seen>()
  /** When each task that was lost here was seen first. */
  readonly #tasks = new Map<string, number>()

  constructor(slot: Slot) {
    this.#slot = slot
  }

  /** True if this task, which is in `directory`, is a retry of what was lost in this slot, and another taker lives. */
  isForOthers(task: TaskName, directory: string): boolean {
    const retry = readRetryOf(directory)
    if (retry?.cause !== 'lost' && retry?.cause !== 'fault') return false
    const { jobs } = this.#slot.spool
    const owner = readOwner(join(jobs.cur, retry.parent)) ?? readOwner(join(jobs.old, retry.parent))
    if (owner?.host !== this.#slot.host || owner.slot !== this.#slot.directory) return false
    const now = performance.now()
    const first = this.#tasks.get(task.name) ?? now
    if (this.#tasks.size > 1000) this.#tasks.clear()
    this.#tasks.set(task.name, first)
    return now - first < LEFT_TO_OTHERS_MAX_MS && this.#isAnyAlive(task, now)
  }

  #isAnyAlive(task: TaskName, now: number): boolean {
    const { spool, host, directory } = this.#slot
    const stopped = paused(spool)
    let found = false
    for (const name of listIfThere(spool.takers)) {
      const card = join(spool.takers, name)
      const about = parseParams(readIfThere(join(card, 'about.txt')) ?? '')
      if (about['host'] === host && about['slot'] === directory) continue
      if (about['arch'] !== task.arch || (task.host !== undefined && about['host'] !== task.host)) continue
      const files = listIfThere(card)
      if (
        !files.includes('alive') ||
        files.includes('fault.txt') ||
        stopped.has(`host:${about['host'] ?? ''}`)
      )
        continue
      const beat = timeOf(join(card, 'alive'))
      const seen = this.#cards.get(name)
      if (seen?.beat !== beat) this.#cards.set(name, { beat, since: now })
      // One that is seen for the first time has the time to beat again.
      if (now - (this.#cards.get(name)?.since ?? now) < ALIVE) found = true
    }
    return found
  }
}
