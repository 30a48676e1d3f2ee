// Ends jobs whose owner cannot end them (the arrows from L0 on), and cancels queued tasks. For the reaper, and for a taker
// that starts again in its slot.

import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'

import { archiveTask, settleJob } from './archive.ts'
import { claim } from './claim.ts'
import { fsyncPath, token } from '../system/durable.ts'
import { noteChange, refresh } from '../system/polled.ts'
import { listIfThere, mustList } from '../system/listing.ts'
import { tolerating } from '../base/errno.ts'
import { quote, temporary } from '../base/exit.ts'
import { explain, giveVerdict, newOwner } from './job.ts'
import type { Owner, Verdict } from './job.ts'
import { readRetryOf, republish, retriedAs } from './retry.ts'
import type { Cause } from './retry.ts'
import { count, setting } from '../base/settings.ts'
import type { Environment } from '../base/settings.ts'
import { findJob, findTask } from './spool.ts'
import type { Spool } from './spool.ts'
import type { TaskId } from './task-name.ts'
import { TASK } from './job-files.ts'

/** Settings that decide what becomes of lost work. */
export interface LossSettings {
  /** This host, which owns the claims that cancel queued tasks. */
  readonly host: string
  /** How often in a row the same work may be lost before it is left to a person. */
  readonly lostTries: number
}

export const readLossSettings = (env?: Environment): LossSettings => ({
  host: setting('HOST', env),
  lostTries: count('LOST_TRIES', env),
})

/**
 * L0 to T5: ends a job whose owner is gone as `lost` and queues its task again, or ends it as `cancelled` if
 * that was requested. If it has another verdict, nothing was lost. `why` is a sentence for people.
 */
export function endGone(spool: Spool, name: TaskId, why: string, settings: LossSettings): void {
  const job = join(spool.jobs.cur, name)
  const cancelled = isCancelled(spool, name)
  settleJob(spool, job)
  const { stands, ours } = giveVerdict(job, cancelled ? 'cancelled' : 'lost')
  if (ours) explain(job, why)
  finish(spool, name, stands, settings)
}

/** L1 or T4 to T5: what a job in `jobs/cur` still needs once its verdict stands. */
export function finish(
  spool: Spool,
  name: TaskId,
  verdict: Verdict,
  settings: LossSettings,
  cause: Cause = 'lost',
): void {
  if (verdict === 'lost' && isToGoOn(spool, name, cause, settings.lostTries)) {
    republish(spool, name, join(spool.jobs.cur, name), cause)
  }
  archiveTask(spool, name)
  if (verdict === 'lost') passOnCancel(spool, name, settings)
}

/** True if somebody asked to cancel a task, wherever it is now. Throws if that cannot be known. */
export function isCancelled(spool: Spool, name: TaskId): boolean {
  // A task that moves from the first to the second while we look is found at the third look at the latest.
  for (const directory of [spool.tasks.cur, spool.tasks.old, spool.tasks.cur]) {
    const task = join(directory, name)
    refresh(task)
    const files = listIfThere(task)
    if (files.length > 0) return files.includes(TASK.cancel)
  }
  return false
}

/** False of lost work that nobody wants any more, since it was cancelled after its verdict, or that was lost too often. */
function isToGoOn(spool: Spool, name: TaskId, cause: Cause, lostTries: number): boolean {
  // A retry that was recorded may be published already.
  if (retriedAs(join(spool.jobs.cur, name)) !== undefined) return true
  return !isCancelled(spool, name) && (cause !== 'lost' || triesOf(spool, name) < lostTries)
}

/**
 * Cancels the retry of a lost task that was cancelled while it was being retried. Call it once the task is archived, when no
 * more cancels can come, and again before its job is, in case the first caller died. A retry that still waits is over then.
 */
export function passOnCancel(spool: Spool, name: TaskId, { host }: LossSettings): void {
  if (!listIfThere(join(spool.tasks.old, name)).includes(TASK.cancel)) return
  for (let lost = name, depth = 0; depth < CHAIN; depth++) {
    const job = findJob(spool, lost)
    const retry = job === undefined ? undefined : retriedAs(job)
    const task = retry === undefined ? undefined : findTask(spool, retry)
    // A retry that a person asked for after the cancel was not cancelled.
    if (retry === undefined || task === undefined || readRetryOf(task)?.cause === 'user') return
    if (wishCancel(spool, retry)) {
      endWaiting(spool, retry, newOwner(host, 'cancel', token()))
      return
    }
    lost = retry
  }
}

/** The longest chain of retries of one cancel; each of them was lost before it could be passed on. */
const CHAIN = 100

/** T1 or T3: leaves the wish in the task that it may end, durably. False if it is not in `tasks/cur` any more. */
export function wishCancel(spool: Spool, name: TaskId): boolean {
  const task = join(spool.tasks.cur, name)
  const asked = tolerating(['ENOENT', 'ESTALE'], () => {
    closeSync(openSync(join(task, TASK.cancel), 'a'))
    fsyncPath(task)
    return true
  })
  if (!asked) {
    if (mustList(spool.tasks.cur).includes(name))
      throw temporary(`cancel ${quote(name)}`, 'it cannot be written to')
    return false
  }
  noteChange(task)
  noteChange(spool.tasks.cur)
  return true
}

/** How often in a row the work of a task was lost before it; after LOST_TRIES, a task that kills its slaves waits for a person. */
function triesOf(spool: Spool, name: TaskId): number {
  // A taker that comes late finds it archived.
  const task = findTask(spool, name)
  return task === undefined ? 0 : (readRetryOf(task)?.tries ?? 0)
}

/**
 * T1 to T5: ends a queued task with a claim whose job is finished already. Returns false if the task has
 * another claim.
 */
export function endWaiting(spool: Spool, name: TaskId, owner: Owner): boolean {
  if (!claim(spool, name, owner, 'cancelled')) return false
  archiveTask(spool, name)
  return true
}
