// The questions of verbs, wherever work is kept: of a spool, or over HTTP of a farmer or a reporter. Names are those of
// tasks. The shapes of answers are those of `--json` and of /api.

import type { CommitView } from '../git/commit.ts'
import type { HeldChange } from '../spool/held.ts'
import { isTaskId } from '../spool/task-name.ts'
import type { TaskId } from '../spool/task-name.ts'
import type { Board, BoardTask } from './board.ts'
import type { StepLog } from './bytes.ts'
import type { LastLine } from './last-lines.ts'
import type { WaitingEvents } from './pending-events.ts'
import type { TaskView } from './view.ts'
import type { WaitView } from './why-waiting.ts'

/** An event that waits longer is shown, in milliseconds: a task-maker that runs takes it sooner. */
export const LATE = 10_000

/** The version of what is said below /api, in the header of each answer. */
export const API = { header: 'Bass-Api', version: '1' } as const

export interface Views {
  /** How often to ask again of what changes, in milliseconds. */
  readonly pace: number
  /** The one task that a person means by `text`: of a revision, a project or a ref the newest. Throws if it means none, or two revisions. */
  one(text: string): Promise<TaskId>
  /** Every task that `text` means, by number. Throws if it means none. */
  all(text: string): Promise<readonly TaskId[]>
  /** True while there is an event of this revision of which tasks are still to be made. */
  isComing(text: string): Promise<boolean>
  /** A task as it is now; undefined if it is gone. */
  look(name: TaskId): Promise<Seen | undefined>
  /** The work that goes on, of one project or of all, and the last `recent` that are over. Throws if there is no such project. */
  status(project: string | undefined, recent: number): Promise<Overview>
  /** The subjects of the commits of these tasks, by revision, as far as their repository is at hand. */
  subjects(tasks: readonly TaskView[]): Promise<ReadonlyMap<string, string>>
  show(name: TaskId): Promise<TaskDetails | undefined>
  /** Opens the log of a step as far as it is written. The caller closes both. */
  log(view: TaskView, step: string): Promise<StepLog>
  /** Asks that a task end, or the last of what it was retried as. */
  cancel(name: TaskId): Promise<Cancelled>
  /** Runs what is over once more, or the last of its retries, and returns the name of the new task. Throws if it is not over. */
  retry(name: TaskId): Promise<TaskId>
  /** Lets this head of a change run; false if it is not held any more. */
  approve(change: HeldChange): Promise<boolean>
}

export interface Seen {
  readonly view: TaskView
  /** True if it has its verdict, and nothing will be made of it any more without a person. */
  readonly settled: boolean
}

export interface Cancelled {
  /** The task that was cancelled: the one named, or the one it was retried as. */
  readonly name: TaskId
  /** Why it cannot be; null where it was asked. */
  readonly refused: string | null
}

export interface Overview extends Omit<Board, 'tasks'> {
  readonly held: readonly HeldChange[]
  readonly waiting: readonly BoardTask[]
  /** `expected`: how many seconds such a job took lately. */
  readonly running: readonly (BoardTask & { readonly expected: number | null })[]
  readonly recent: readonly BoardTask[]
  /** Events that no task-maker has taken for `LATE`; where there are no tasks yet, all that wait. */
  readonly events: readonly WaitingEvents[]
}

export interface TaskDetails extends TaskView {
  readonly wait: WaitView | null
  /** Null where the repository of the project is not on that host. */
  readonly commit: CommitView | null
  readonly taskDirectory: string | null
  readonly jobDirectory: string | null
  readonly artifactFiles: readonly { readonly path: string; readonly bytes: number }[]
  /** The end of the step that ended the job, or that it is at. */
  readonly lastLines: readonly LastLine[]
}

/**
 * Follows the retries of a task: all, or only those of lost jobs, which no user asked for. Returns the last one, or
 * undefined if it is gone.
 */
export async function lastRetryOf(
  views: Pick<Views, 'look'>,
  name: TaskId,
  which: 'all' | 'lost',
): Promise<Seen | undefined> {
  for (let seen = await views.look(name); ;) {
    const job = seen?.view.job
    if (!seen || !job?.retriedAs || !isTaskId(job.retriedAs) || (which === 'lost' && job.verdict !== 'lost'))
      return seen
    const next = await views.look(job.retriedAs)
    // Numbers grow: what names an earlier one is not ours, and would lead round in a circle.
    if (next && next.view.num <= seen.view.num) return seen
    seen = next
  }
}
