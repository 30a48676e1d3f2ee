// Finished tasks, newest first, read only as far as the caller looks: `old` may hold 100,000 jobs.

import { timeOf } from '../../lib/system/durable.ts'
import { mustList } from '../../lib/system/listing.ts'
import type { Spool } from '../../lib/spool/spool.ts'
import { parseTaskName } from '../../lib/spool/task-name.ts'
import type { TaskName } from '../../lib/spool/task-name.ts'
import { readView } from '../../lib/view/view.ts'
import type { TaskView } from '../../lib/view/view.ts'
import { inOld } from '../../lib/view/whereabouts.ts'

/** The number of earlier successes that predict a duration, and how far back to look for them. */
const SAMPLE = 5
const HISTORY_JOBS = 50

export interface History {
  /** The tasks of the jobs in `jobs/old` of which `wanted` is true, newest first. */
  views(wanted: (task: TaskName) => boolean): Generator<TaskView>
  /**
   * How many seconds a success of this project and architecture took lately; null if there was none. `recent`: what is
   * over and not in `jobs/old` yet, newest first.
   */
  usualSeconds(of: Pick<TaskName, 'project' | 'arch'>, recent: readonly TaskView[]): number | null
}

/** The history of a spool; lists `jobs/old` again when that has changed. */
export function historyOf(spool: Spool): History {
  let [listed, names]: [number | null | undefined, string[]] = [undefined, []]
  const newest = (): string[] => {
    const changed = timeOf(spool.jobs.old)
    if (listed !== changed) [listed, names] = [changed, byNumber(mustList(spool.jobs.old))]
    return names
  }
  function* views(wanted: (task: TaskName) => boolean): Generator<TaskView> {
    for (const name of newest()) {
      const task = parseTaskName(name)
      const view = task && wanted(task) ? readView(inOld(spool, task)) : undefined
      if (view) yield view
    }
  }
  const usualSeconds: History['usualSeconds'] = (of, recent) => {
    const spans: number[] = []
    let looked = 0
    const alike = (task: Pick<TaskName, 'project' | 'arch'>) =>
      task.project === of.project && task.arch === of.arch
    for (const { job } of both(recent.filter(alike), views(alike))) {
      if (job?.verdict === 'success' && job.seconds !== null) spans.push(job.seconds)
      if (spans.length === SAMPLE || ++looked === HISTORY_JOBS) break
    }
    return median(spans)
  }
  return { views, usualSeconds }
}

function* both<T>(first: Iterable<T>, second: Iterable<T>): Generator<T> {
  yield* first
  yield* second
}

/** Largest number first. Names that are no task's are sorted anywhere, and left out by the caller's parser. */
function byNumber(names: readonly string[]): string[] {
  const numbered = names.map(name => ({ name, num: parseInt(name, 10) || 0 }))
  return numbered.sort((a, b) => b.num - a.num).map(({ name }) => name)
}

function median(numbers: number[]): number | null {
  return numbers.sort((a, b) => a - b)[numbers.length >> 1] ?? null
}
