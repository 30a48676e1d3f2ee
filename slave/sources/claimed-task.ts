// A task of the spool from its claim to its archive: the states T1 to T5 of the design, for the slave that has it.

import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import type { Path } from '../../lib/base/brand.ts'
import { isErrno } from '../../lib/base/errno.ts'
import { claim } from '../../lib/spool/claim.ts'
import { explain, formatVerdict, giveVerdict } from '../../lib/spool/job.ts'
import type { Owner, Verdict } from '../../lib/spool/job.ts'
import { finish, isCancelled } from '../../lib/spool/lose.ts'
import type { Cause } from '../../lib/spool/retry.ts'
import type { TaskName } from '../../lib/spool/task-name.ts'
import { remove } from '../../lib/system/remove.ts'
import { mustList } from '../../lib/system/listing.ts'
import { warn } from '../../lib/system/log.ts'
import { readTaskFacts } from '../run/facts.ts'
import type { TaskFacts } from '../run/facts.ts'
import { persistJob, writePlain } from '../run/job-writer.ts'
import type { Outcome } from '../run/plan.ts'
import { makeWork, unpackTask, workOf } from '../run/work.ts'
import type { Assignment, Heartbeat } from './assignment.ts'
import { startHeartbeat } from './heartbeat.ts'
import type { Slot } from './slot.ts'
import { JOB } from '../../lib/spool/job-files.ts'

/** Claims a task for a slot; undefined if somebody else has it. */
export function claimTask(slot: Slot, task: TaskName): Assignment | undefined {
  const owner = slot.newOwner()
  const job = claim(slot.spool, task.name, owner)
  if (job === undefined) return undefined
  slot.startAfter(task.num)
  return new ClaimedTask(slot, task, job, owner)
}

class ClaimedTask implements Assignment {
  readonly task: TaskName
  readonly job: Path
  readonly work: string
  readonly #slot: Slot
  readonly #token: string
  /** The task's own directory. */
  readonly #directory: string
  /** The durable file that holds the verdict to be, where there is one. */
  #prepared: string | undefined

  constructor(slot: Slot, task: TaskName, job: Path, { token }: Owner) {
    this.task = task
    this.job = job
    this.work = workOf(slot.settings.jobtmp, token)
    this.#slot = slot
    this.#token = token
    this.#directory = join(slot.spool.tasks.cur, task.name)
  }

  beat(onWord: (word: 'cancelled' | 'lost') => void): Heartbeat {
    return startHeartbeat(this.job, this.#directory, this.#slot.settings.lostAfter, onWord)
  }

  begin(): boolean {
    if (this.#wasCancelled()) return false
    // First of all, so that there is never one that nobody knows.
    this.#slot.work.remember(this.task.name, this.work)
    makeWork(this.work)
    return true
  }

  /** True if somebody has cancelled the job, as far as can be known: the heartbeat looks again soon. */
  #wasCancelled(): boolean {
    try {
      return isCancelled(this.#slot.spool, this.task.name)
    } catch {
      return false
    }
  }

  async unpack(stop: AbortSignal): Promise<TaskFacts> {
    await unpackTask(this.#directory, this.work, this.#slot.settings.bundleMax, stop)
    const { task, work } = this
    const cache = this.#slot.cache(task.project)
    return { task, host: this.#slot.settings.host, ...readTaskFacts(this.#directory), work, cache }
  }

  /** The verdict to be is made durable together with what it says it of: that saves a commit of a journal. */
  async store(verdict: Verdict, stop: AbortSignal): Promise<void> {
    const prepared = join(this.job, `.new.${this.#token}`)
    await writePlain(prepared, formatVerdict(verdict), stop)
    await persistJob(this.job, stop)
    this.#prepared = prepared
  }

  /**
   * A file system that is full or away does not turn a success into a loss: the heartbeat goes on, and this tries until
   * it is done or others have ended the job.
   */
  async conclude({ verdict, why }: Outcome, cause: Cause): Promise<Verdict> {
    const { spool, settings } = this.#slot
    const { name } = this.task
    for (let wait = 500; ; wait = Math.min(2 * wait, 10_000)) {
      try {
        // Whatever else ended the work, for instance that the slave was told to stop: nobody wants it any more.
        const ours = verdict === 'lost' && isCancelled(spool, name) ? 'cancelled' : verdict
        if (ours !== verdict) this.#prepared = undefined
        else if (why !== undefined) explain(this.job, why)
        const { stands } = giveVerdict(this.job, ours, this.#prepared)
        // A verdict that is not ours is another's to finish.
        if (stands === ours) finish(spool, name, stands, settings, cause)
        return stands
      } catch (error) {
        // Its name may be gone.
        this.#prepared = undefined
        // The room that its artifacts take is enough: a cancel always wins.
        if (verdict === 'cancelled' && isErrno(error, 'ENOSPC', 'EDQUOT'))
          remove(join(this.job, JOB.artifacts))
        if (this.#hasMoved()) return 'lost'
        warn('end', name, error)
        await sleep(wait)
      }
    }
  }

  /** True if a listing shows that others have ended the job and moved it: an error alone says nothing. */
  #hasMoved(): boolean {
    try {
      return !mustList(this.#slot.spool.jobs.cur).includes(this.task.name)
    } catch {
      return false
    }
  }

  discard(): Promise<void> {
    return this.#slot.work.discard(this.task.name)
  }
}
