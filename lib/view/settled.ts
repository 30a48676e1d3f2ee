// A task and what it was retried as: which of them a person means who asks how it ended.

import type { Spool } from '../spool/spool.ts'
import { readView } from './view.ts'
import type { TaskView } from './view.ts'
import { whereIs } from './whereabouts.ts'
import type { Whereabouts } from './whereabouts.ts'
import type { TaskId } from '../spool/task-name.ts'

export interface Found {
  readonly where: Whereabouts
  readonly view: TaskView
}

/** A task as it is now; undefined if it is gone. */
export function look(spool: Spool, name: string): Found | undefined {
  const where = whereIs(spool, name)
  const view = where && readView(where)
  return view && { where, view }
}

/**
 * Follows the retries of a task: all, or only those of lost jobs, which no user asked for. Returns the last
 * one, or undefined if it is gone.
 */
export function lastRetry(spool: Spool, name: TaskId, which: 'all' | 'lost'): Found | undefined {
  for (let found = look(spool, name); ;) {
    const job = found?.view.job
    if (!job?.retriedAs || (which === 'lost' && job.verdict !== 'lost')) return found
    const next = look(spool, job.retriedAs)
    // Numbers grow: what names an earlier one is not ours, and would lead round in a circle.
    if (next && found && next.view.num <= found.view.num) return found
    found = next
  }
}

/** True if the task has its verdict, and nothing will be made of it any more. */
export function isSettled(spool: Spool, { where, view }: Found): boolean {
  // Nobody archives the task of a lost job whose retry is still to come.
  return (
    view.state === 'over' &&
    !(view.job?.verdict === 'lost' && where.taskAt?.startsWith(spool.tasks.cur + '/'))
  )
}
