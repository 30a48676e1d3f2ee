// The work that goes on now, and how long such work takes.

import { paused } from '../../../lib/spool/spool.ts'
import { readTakers } from '../../../lib/view/takers.ts'
import type { Crew, TakerView } from '../../../lib/view/takers.ts'
import type { TaskView } from '../../../lib/view/view.ts'
import { eventsWaiting } from '../../../lib/view/pending-events.ts'
import type { WaitingEvents } from '../../../lib/view/pending-events.ts'
import { LATE } from '../../../lib/view/views.ts'
import { placesInQueue, whyWaiting } from '../../../lib/view/why-waiting.ts'
import type { WaitView } from '../../../lib/view/why-waiting.ts'
import type { Site } from './site.ts'
import type { IndexEntry } from './entry.ts'

/** The number of earlier successes that predict a duration, and how far back to look for them. */
const SAMPLE = 5
const BOARD_JOBS = 500
/** Of so many waiting tasks it is found out why they wait. */
const REASONS = 100

export interface Waiting {
  readonly view: TaskView
  readonly wait: WaitView
}

/** The current work. */
export interface CurrentWork {
  readonly running: readonly { readonly view: TaskView; readonly expected: number | null }[]
  /** The first of them. */
  readonly waiting: readonly Waiting[]
  /** How many more wait. */
  readonly more: number
  readonly takers: readonly TakerView[]
  readonly crew: Crew
  readonly paused: readonly string[]
  /** Events that no task-maker has taken for `LATE`. */
  readonly events: readonly WaitingEvents[]
}

/** Running and queued tasks, of one project or of all, by number. */
export function boardOf(site: Site, project?: string, most = REASONS): CurrentWork {
  const active = site.active()
  const running = viewsOf(
    site,
    active.filter(entry => entry.state === 'running'),
  )
  const takers = readTakers(site.spool, running, site.silentAfter)
  const stopped = paused(site.spool)
  const all = active.filter(({ state }) => state === 'waiting').map(queued)
  const { crew } = site
  const circumstances = { places: placesInQueue(all), takers, crew, paused: stopped, now: Date.now() }
  const queue = all.filter(task => project === undefined || task.project === project)
  const waiting = viewsOf(site, queue.slice(0, most)).map(view => ({
    view,
    wait: whyWaiting(view, circumstances),
  }))
  return {
    running: running
      .filter(view => project === undefined || view.project === project)
      .map(view => ({ view, expected: usualSeconds(site, view) })),
    waiting,
    more: queue.length - waiting.length,
    takers,
    crew,
    paused: [...stopped].sort(),
    events: eventsWaiting(site.spool, Date.now(), LATE).filter(
      events => project === undefined || events.project === project,
    ),
  }
}

/** How many seconds a success of this project and architecture took lately; null if there was none. */
export function usualSeconds(
  site: Site,
  { project, arch }: Pick<TaskView, 'project' | 'arch'>,
): number | null {
  const spans: number[] = []
  for (const row of site.index.rows({ project, arch, state: 'success' })) {
    const seconds = site.view(site.index.entry(row))?.job?.seconds
    if (seconds != null) spans.push(seconds)
    if (spans.length === SAMPLE) break
  }
  return spans.sort((a, b) => a - b)[spans.length >> 1] ?? null
}

/** The last success of the same project, architecture and check before this task; undefined if there is none. */
export function lastLike(site: Site, view: TaskView): TaskView | undefined {
  const { project, arch, label, num } = view
  let looked = 0
  for (const row of site.index.rows({ project, arch, state: 'success' }, num)) {
    const entry = site.index.entry(row)
    if (entry.label === (label ?? '')) return site.view(entry)
    if (++looked === BOARD_JOBS) break
  }
  return undefined
}

const viewsOf = (site: Site, entries: readonly Pick<IndexEntry, 'name' | 'num'>[]): TaskView[] =>
  entries.map(entry => site.view(entry)).filter(view => view !== undefined)

/** The parts of its name that tell its place in the queue. */
function queued({ name, num, project, target }: IndexEntry) {
  const [arch = '', host = null] = target.split(':')
  return { name, num, project, arch, host, state: 'waiting' as const, cancelling: false }
}
