// The current tasks: queued, running and just finished, and the takers there are for them.

import { paused } from '../spool/spool.ts'
import type { Spool } from '../spool/spool.ts'
import { readTakers } from './takers.ts'
import type { Crew, TakerView } from './takers.ts'
import { readView } from './view.ts'
import type { TaskView } from './view.ts'
import { current } from './whereabouts.ts'
import { placesInQueue, whyWaiting } from './why-waiting.ts'
import type { WaitView } from './why-waiting.ts'

export interface BoardTask extends TaskView {
  /** Why it waits; null if it does not. */
  readonly wait: WaitView | null
}

export interface Board {
  /** When this was read, in milliseconds since 1970. */
  readonly now: number
  /** By number. Tasks that have moved to `old` are not among them. */
  readonly tasks: readonly BoardTask[]
  readonly takers: readonly TakerView[]
  /** What these are. */
  readonly crew: Crew
  /** `all`, `project:P`, `host:H`. */
  readonly paused: readonly string[]
}

/** Reads it all. `silentAfter`: milliseconds after which a taker that does not beat is taken for gone. */
export function readBoard(spool: Spool, silentAfter: number, read = readView): Board {
  const now = Date.now()
  const views = current(spool)
    .map(where => read(where))
    .filter(view => view !== undefined)
  const takers = readTakers(spool, views, silentAfter, now)
  const stopped = paused(spool)
  const crew = 'taker'
  const circumstances = { places: placesInQueue(views), takers, crew, paused: stopped, now } as const
  const tasks = views.map(view => ({
    ...view,
    wait: view.state === 'waiting' ? whyWaiting(view, circumstances) : null,
  }))
  return { now, tasks, takers, crew, paused: [...stopped].sort() }
}
