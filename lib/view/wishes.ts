// The acts of a user on a task, in a terminal or a browser: to cancel it, or to run it again.

import { join } from 'node:path'

import { isErrno } from '../base/errno.ts'
import { lasting, quote } from '../base/exit.ts'
import { wishCancel } from '../spool/lose.ts'
import { republish } from '../spool/retry.ts'
import { isSettled, lastRetry, look } from './settled.ts'
import type { Spool } from '../spool/spool.ts'
import type { TaskId } from '../spool/task-name.ts'

/** T1 or T3: leaves the wish. Returns why that is not possible. `asked` is the task that was named: `name`, or what that was retried as. */
export function askCancel(spool: Spool, name: TaskId, asked = name): Error | undefined {
  const found = look(spool, name)
  const job = found?.view.job
  const subject = name === asked ? 'it' : `it was retried as ${name}, which`
  const refuse = (why: string) => lasting(`cancel ${quote(asked)}`, `${subject} is over${why}`)
  if (job?.verdict && isSettled(spool, found!)) {
    return refuse(`: ${job.verdict}${job.retriedAs === null ? '' : `; it was retried as ${job.retriedAs}`}`)
  }
  if (!wishCancel(spool, name)) return refuse('')
  return undefined
}

/**
 * As `askCancel`, of the last of what the task was retried as, by whomever: that is what waits or runs. Returns also the name of that.
 */
export function cancelLast(spool: Spool, asked: TaskId): { name: TaskId; refused: Error | undefined } {
  for (let name = asked; ;) {
    // A retry that is pruned, or still to be published, leaves it to the task itself.
    name = lastRetry(spool, name, 'all')?.view.name ?? name
    const refused = askCancel(spool, name, asked)
    // It may have been lost, and retried, between our two looks.
    if (!refused || (lastRetry(spool, name, 'all')?.view.name ?? name) === name) return { name, refused }
  }
}

/**
 * L1 to L3: queues a finished task again, or the last of its retries, and returns the name of the new task.
 * Throws if the task is not finished.
 */
export function retryLast(spool: Spool, name: TaskId, tries = 3): TaskId {
  const found = lastRetry(spool, name, 'all')
  const refuse = (why: string) => lasting(`retry ${quote(name)}`, why)
  if (!found) throw refuse('what it was retried as has been pruned, or is not published yet')
  const { where, view } = found
  const other = view.name === name ? 'it' : `it was retried as ${view.name}, which`
  if (view.state === 'waiting') throw refuse(`${other} still waits`)
  if (view.state === 'running') throw refuse(`${other} is running; 'bass cancel ${view.num}' would end it`)
  try {
    return republish(spool, view.name, where.jobAt ?? join(spool.jobs.old, view.name), 'user')
  } catch (error) {
    const moved = isErrno(error, 'ENOENT', 'ESTALE') && look(spool, view.name)?.where.jobAt !== where.jobAt
    if (moved && tries > 1) return retryLast(spool, name, tries - 1)
    throw error
  }
}
