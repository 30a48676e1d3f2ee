// How a job ends whose owner cannot end it: the arrows from L0 on, and the cancel of a task that still waits. Both the
// reaper and a taker that starts again in its slot need them.

import { join } from 'node:path'

import { archiveTask, settleJob } from './archive.ts'
import { claim } from './claim.ts'
import { listNow } from '../system/durable.ts'
import { explain, giveVerdict } from './job.ts'
import type { Owner, Verdict } from './job.ts'
import { readRetryOf, republish } from './retry.ts'
import type { Cause } from './retry.ts'
import { count } from '../base/settings.ts'
import type { Spool } from './spool.ts'

/**
 * L0 to T5: the owner of this job is gone. It ends as `lost` and its task is published again; or as `cancelled`, if
 * somebody asked for that. If another verdict stands, nothing was lost. `why` is a sentence for people.
 */
export function endGone(spool: Spool, name: string, why: string): void {
  const job = join(spool.jobs.cur, name)
  const cancelled = listNow(join(spool.tasks.cur, name)).includes('cancel')
  settleJob(spool, job)
  const { stands, ours } = giveVerdict(job, cancelled ? 'cancelled' : 'lost')
  if (ours) explain(job, why)
  finish(spool, name, stands)
}

/** L1 or T4 to T5: what a job in `jobs/cur` still needs once its verdict stands. */
export function finish(spool: Spool, name: string, verdict: Verdict, cause: Cause = 'lost'): void {
  if (verdict === 'lost' && (cause !== 'lost' || mayRetry(spool, name))) {
    republish(spool, name, join(spool.jobs.cur, name), cause)
  }
  archiveTask(spool, name)
}

/** False once the same work was lost LOST_TRIES times in a row: a task that kills its slaves waits for a person. */
function mayRetry(spool: Spool, name: string): boolean {
  return (readRetryOf(join(spool.tasks.cur, name))?.tries ?? 0) < count('LOST_TRIES')
}

/** T1 to T5: ends a task that waits, by a claim whose job is over already. False if somebody else has claimed it. */
export function endWaiting(spool: Spool, name: string, owner: Owner): boolean {
  if (!claim(spool, name, owner, 'cancelled')) return false
  archiveTask(spool, name)
  return true
}
