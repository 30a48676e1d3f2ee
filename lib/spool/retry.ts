// Queues a task again under a new number: states L1 to L3 of the design. One primitive serves the reaper (a
// lost job), a taker that is told to stop, and `bass retry`. No name ever runs twice.

import { join } from 'node:path'

import { fsyncPath, move, publishFile, readIfThere, sweep, token, writeNew } from '../system/durable.ts'
import { noteChange } from '../system/polled.ts'
import { mustList, mustListAll } from '../system/listing.ts'
import { isErrno } from '../base/errno.ts'
import { lasting, quote, temporary } from '../base/exit.ts'
import { cloneTree, copy, linkOrCopy } from './fan-out.ts'
import { settleJob } from './archive.ts'
import { takeNumbers } from './counter.ts'
import { findTask } from './spool.ts'
import type { Spool } from './spool.ts'
import { isTaskId, renumber, parseTaskName } from './task-name.ts'
import { trace } from '../system/trace.ts'
import { isLocal } from '../system/local.ts'
import type { TaskId } from './task-name.ts'
import type { Path } from '../base/brand.ts'
import { JOB, TASK } from './job-files.ts'

export const CAUSES = ['lost', 'drain', 'fault', 'user'] as const
/** Why: the slave was lost; it was told to stop; it could not run jobs through its own fault; a person asked. */
export type Cause = (typeof CAUSES)[number]

export interface RetryOf {
  readonly parent: TaskId
  readonly cause: Cause
  /** How many times in a row the work was lost before this. */
  readonly tries: number
}

/** The content of `retry-of.txt`. Pure. */
export const formatRetryOf = ({ parent, cause, tries }: RetryOf): string => `${parent} ${cause} ${tries}\n`

/** Parses `retry-of.txt`; undefined if it is malformed. Pure. */
export function parseRetryOf(text: string): RetryOf | undefined {
  const match = /^(\S+) (lost|drain|fault|user) (\d{1,9})\n?$/.exec(text)
  return match && isTaskId(match[1]!)
    ? { parent: match[1], cause: match[2] as Cause, tries: Number(match[3]) }
    : undefined
}

/** Reads which task this one retries, or undefined. */
export function readRetryOf(task: Path): RetryOf | undefined {
  return parseRetryOf(readIfThere(join(task, TASK.retryOf)) ?? '')
}

/** Returns the retry that a job names, or undefined. The job must be there. Throws if it names no task: nobody could act on that. */
export function retriedAs(job: Path): TaskId | undefined {
  if (!mustList(job).includes(JOB.retriedAs)) return undefined
  const name = readIfThere(join(job, JOB.retriedAs))?.trim() ?? ''
  if (!isTaskId(name)) throw lasting(`find what ${quote(job)} was retried as`, 'it names no task')
  return name
}

/**
 * L1 to L3: queues the task of a finished job again, or completes a retry that was begun, and returns the
 * name of the new task. `job` is the job's current directory.
 */
export function republish(spool: Spool, name: TaskId, job: Path, cause: Cause): TaskId {
  settleJob(spool, job)
  const standing = retriedAs(job) ?? recordRetry(spool, job, makeRetry(spool, name, cause))
  publishRetry(spool, job, standing)
  return standing
}

/** L1, first half: makes a complete clone of the task in `tasks/tmp`, which names its parent. Returns its name. */
function makeRetry(spool: Spool, name: TaskId, cause: Cause): TaskId {
  const parsed = parseTaskName(name)
  if (!parsed) throw lasting(`retry ${quote(name)}`, 'not a name of a task')
  const clone = renumber(takeNumbers(spool.ctr, 1), parsed)
  const hidden = join(spool.tasks.tmp, `.${clone}.${token()}`)
  // An NFSv4 server may have lent the files to a slave that is cut off: until its lease is over they can be read, not linked.
  const give = isLocal(spool.tasks.cur) ? linkOrCopy : copy
  for (let tries = 1; ; tries++) {
    const task = findTask(spool, name)
    if (!task) throw lasting(`retry ${quote(name)}`, 'its task is gone')
    try {
      cloneTree(task, hidden, [TASK.claim, TASK.cancel, TASK.retryOf], give)
      const before = readRetryOf(task)?.tries ?? 0
      const after = { lost: before + 1, drain: before, fault: before, user: 0 }[cause]
      writeNew(join(hidden, TASK.retryOf), formatRetryOf({ parent: name, cause, tries: after }))
      break
    } catch (error) {
      sweep(hidden)
      // It was archived while we copied: its files are in `tasks/old` now.
      if (tries < 3 && isErrno(error, 'ENOENT', 'ESTALE')) continue
      throw error
    }
  }
  fsyncPath(hidden)
  if (!move(hidden, join(spool.tasks.tmp, clone)) && !isThere(spool, clone)) {
    // This program was held up so long that the clone was swept as rubbish.
    throw temporary(`retry ${quote(name)}`, 'its clone was swept')
  }
  fsyncPath(spool.tasks.tmp)
  return clone
}

const isThere = (spool: Spool, clone: TaskId): boolean =>
  mustListAll(spool.tasks.tmp).includes(clone) || findTask(spool, clone) !== undefined

/** L1, second half: the first name that is written down is what will be published. Sweeps `clone` if it is another. */
export function recordRetry(spool: Spool, job: Path, clone: TaskId): TaskId {
  publishFile(join(job, JOB.retriedAs), clone + '\n')
  const standing = retriedAs(job)
  if (standing === undefined) throw new Error(`${job}/retried-as.txt is not there`)
  trace('L2', standing)
  if (standing !== clone) sweep(join(spool.tasks.tmp, clone))
  return standing
}

/** L2 to L3: moves the recorded clone into `tasks/cur`, unless it has moved already. */
export function publishRetry(spool: Spool, job: Path, clone: TaskId): void {
  fsyncPath(job)
  move(join(spool.tasks.tmp, clone), join(spool.tasks.cur, clone))
  fsyncPath(spool.tasks.cur)
  fsyncPath(spool.tasks.tmp)
  noteChange(spool.tasks.cur)
  trace('L3', clone)
}
