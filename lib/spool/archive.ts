// Finished tasks and jobs move to `old`: states T4 and T5 of the design. A name that is seen need not be
// durable yet, so a program that acts on it first fsyncs the directories that hold it.

import { join } from 'node:path'

import { fsyncPath, move } from '../system/durable.ts'
import { noteChange } from '../system/polled.ts'
import type { Spool } from './spool.ts'
import { trace } from '../system/trace.ts'
import type { TaskId } from './task-name.ts'
import type { Path } from '../base/brand.ts'

/** Makes durable what is seen of a job. Call it before acting on what was seen. */
export function settleJob(spool: Spool, job: Path): void {
  fsyncPath(job)
  fsyncPath(spool.jobs.cur)
  fsyncPath(spool.jobs.tmp)
}

/** T4 to T5: the task of a job that has its verdict moves to `tasks/old`. */
export function archiveTask(spool: Spool, name: TaskId): void {
  settleJob(spool, join(spool.jobs.cur, name))
  move(join(spool.tasks.cur, name), join(spool.tasks.old, name))
  fsyncPath(spool.tasks.old)
  fsyncPath(spool.tasks.cur)
  noteChange(spool.tasks.cur)
  trace('T5', name)
}

/** T5 to T6: the job of a task that is over moves to `jobs/old`. */
export function archiveJob(spool: Spool, name: TaskId): void {
  fsyncPath(spool.tasks.old)
  fsyncPath(spool.tasks.cur)
  move(join(spool.jobs.cur, name), join(spool.jobs.old, name))
  fsyncPath(spool.jobs.old)
  fsyncPath(spool.jobs.cur)
  noteChange(spool.jobs.cur)
  trace('T6', name)
}
