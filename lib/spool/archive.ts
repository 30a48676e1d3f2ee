// What is over moves away: the states T4 and T5 of the design. What one sees is not yet durable, so whoever acts on a
// name first fsyncs the directories that make it so.

import { join } from 'node:path'

import { fsyncPath, move } from '../system/durable.ts'
import { noteChange } from '../system/polled.ts'
import type { Spool } from './spool.ts'
import { trace } from '../system/trace.ts'

/** What is seen of a job is durable afterwards: to be called before anything is done because of it. */
export function settleJob(spool: Spool, job: string): void {
  fsyncPath(job)
  fsyncPath(spool.jobs.cur)
  fsyncPath(spool.jobs.tmp)
}

/** T4 to T5: the task of a job that has its verdict moves to `tasks/old`. */
export function archiveTask(spool: Spool, name: string): void {
  settleJob(spool, join(spool.jobs.cur, name))
  move(join(spool.tasks.cur, name), join(spool.tasks.old, name))
  fsyncPath(spool.tasks.old)
  fsyncPath(spool.tasks.cur)
  noteChange(spool.tasks.cur)
  trace('T5', name)
}

/** T5 to T6: the job of a task that is over moves to `jobs/old`. */
export function archiveJob(spool: Spool, name: string): void {
  fsyncPath(spool.tasks.old)
  fsyncPath(spool.tasks.cur)
  move(join(spool.jobs.cur, name), join(spool.jobs.old, name))
  fsyncPath(spool.jobs.old)
  fsyncPath(spool.jobs.cur)
  noteChange(spool.jobs.cur)
  trace('T6', name)
}
