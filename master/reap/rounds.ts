// The reaper's rounds: what is seen in the spool and what its states still need. Every arrow taken here is one that
// anyone may take, so it does not matter who else takes it at the same time, nor where one of us stops.

import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

import { archiveJob, settleJob } from '../../lib/spool/archive.ts'
import { claimOf, parsePrivateName, showJob } from '../../lib/spool/claim.ts'
import { serverTime, sweep, token } from '../../lib/system/durable.ts'
import { refresh } from '../../lib/system/polled.ts'
import { listAllIfThere, listIfThere, mustList, mustListAll } from '../../lib/system/listing.ts'
import { tolerating } from '../../lib/base/errno.ts'
import { newOwner, readOwner, verdictOf } from '../../lib/spool/job.ts'
import type { Verdict } from '../../lib/spool/job.ts'
import { warn, warnOnce } from '../../lib/system/log.ts'
import { endGone, endWaiting, finish, passOnCancel } from '../../lib/spool/lose.ts'
import { publishRetry, readRetryOf, recordRetry, retriedAs } from '../../lib/spool/retry.ts'
import { prunable, prune } from '../../lib/spool/prune.ts'
import { findJob, findTask, parseTasks, taskLister } from '../../lib/spool/spool.ts'
import type { Spool } from '../../lib/spool/spool.ts'
import { isTaskId } from '../../lib/spool/task-name.ts'
import type { TaskId, TaskName } from '../../lib/spool/task-name.ts'
import { isLocal } from '../../lib/system/local.ts'
import { Heartbeats, readBeat } from './gone.ts'
import type { ReaperSettings } from './settings.ts'
import { sweepAll } from './sweep.ts'
import { JOB, TASK } from '../../lib/spool/job-files.ts'

/** How often the times of every polled directory are set for NFSv3 clients, in milliseconds. */
const REFRESH = 10_000

/** How often to delete what is older than RETENTION, in milliseconds. */
const PRUNE = 3_600_000

/**
 * How many waiting tasks are looked into for `cancel` in one round, all of them in turn: after `tasks/cur` has changed,
 * as it does when `bass cancel` asks, and as long as it has not, for what was touched by hand.
 */
const WINDOW = { changed: 1000, calm: 50 } as const

export class Rounds {
  readonly spool: Spool
  readonly #settings: ReaperSettings
  /** How long what its own maker is about to do is left to it: only to save the work of doing it twice. */
  readonly #courtesy: number
  readonly #heartbeats: Heartbeats
  /** Since when something has been seen to be so; by a key of what and which. */
  readonly #since = new Map<string, number>()
  readonly #verdicts = new Map<string, Verdict>()
  readonly #listTasks: () => readonly TaskName[]
  readonly #isLocal: boolean
  /** The last listing of `tasks/cur`, and its names. */
  #listed: readonly TaskName[] = []
  #tasks: ReadonlySet<TaskId> = new Set()
  #window = 0
  /** The last times of `tasks/cur`, and how many queued tasks are still to be read since they changed. */
  #times: string | undefined
  #unseen = 0
  #refreshed = -Infinity
  #pruned = -Infinity
  readonly #sweep: (spool: Spool) => void

  constructor(spool: Spool, settings: ReaperSettings) {
    this.spool = spool
    this.#settings = settings
    this.#courtesy = 2 * settings.poll
    this.#heartbeats = new Heartbeats(settings.lostAfter, settings.poll)
    this.#listTasks = taskLister(spool.tasks.cur)
    this.#isLocal = isLocal(spool.tasks.cur)
    this.#sweep = sweepAll(settings)
  }

  /** One round over everything. A failure for one name is reported and tried again in the next round. */
  look(): void {
    const { spool } = this
    const now = performance.now()
    this.#heartbeats.goOn(now)

    // Jobs before tasks: a job whose task is not in a later listing of tasks/cur is one whose task has left it.
    const claims = mustList(spool.jobs.tmp)
    const jobs = this.#jobNames()
    const hasChanged = this.#hasChanged()
    const tasks = this.#taskNames()
    const clones = mustList(spool.tasks.tmp)
    this.#forget(jobs, new Set(claims), new Set(clones))

    for (const entry of claims) this.#each(entry, () => this.#lookAtClaim(entry, tasks, now))
    for (const name of jobs) this.#each(name, () => this.#lookAtJob(name, tasks.has(name), now))
    const waiting = [...tasks].filter(name => !jobs.has(name))
    if (hasChanged) this.#unseen = waiting.length
    for (const name of this.#nextWindow(waiting)) {
      this.#each(name, () => this.#lookAtWaiting(name))
    }
    for (const name of clones) this.#each(name, () => this.#lookAtClone(name, now))
    this.#sweep(spool)
    if (now - this.#pruned >= PRUNE) this.#each(spool.jobs.old, () => this.#prune(now))
    if (now - this.#refreshed >= REFRESH) this.#refreshAll(now)
  }

  #jobNames(): ReadonlySet<TaskId> {
    const { cur } = this.spool.jobs
    return new Set(parseTasks(mustList(cur), cur).map(task => task.name))
  }

  /** The names in `tasks/cur`. */
  #taskNames(): ReadonlySet<TaskId> {
    const tasks = this.#listTasks()
    if (tasks !== this.#listed) this.#tasks = new Set(tasks.map(task => task.name))
    this.#listed = tasks
    return this.#tasks
  }

  #each(name: string, action: () => void): void {
    try {
      action()
    } catch (error) {
      warnOnce('mend', name, error)
    }
  }

  /** True once `key` has been so for `span` of milliseconds, over rounds. */
  #for(key: string, span: number, now: number): boolean {
    const since = this.#since.get(key) ?? now
    this.#since.set(key, since)
    return now - since >= span
  }

  #forget(jobs: ReadonlySet<string>, ...others: ReadonlySet<string>[]): void {
    this.#heartbeats.keep(jobs)
    for (const name of this.#verdicts.keys()) if (!jobs.has(name)) this.#verdicts.delete(name)
    for (const key of this.#since.keys()) {
      const name = key.slice(key.indexOf(' ') + 1)
      if (!jobs.has(name) && !others.some(names => names.has(name))) this.#since.delete(key)
    }
  }

  /** T2: a claim whose job is still under its private name. Or rubbish: the task went to another claim. */
  #lookAtClaim(entry: string, tasks: ReadonlySet<TaskId>, now: number): void {
    const mine = parsePrivateName(entry)
    if (!mine) return warnOnce('understand', entry, 'not a name of a job to be')
    if (!this.#for(`claim ${entry}`, this.#courtesy, now)) return
    const { name } = mine
    const standing = tasks.has(name) ? claimOf(this.spool, name) : undefined
    if (standing === mine.token) showJob(this.spool, name, mine.token)
    else if (
      standing !== undefined ||
      (!tasks.has(name) && mustListAll(this.spool.tasks.old).includes(name))
    ) {
      sweep(join(this.spool.jobs.tmp, entry))
    }
  }

  /** T3, T4 and T5, L0 to L3. */
  #lookAtJob(name: TaskId, hasTask: boolean, now: number): void {
    const job = join(this.spool.jobs.cur, name)
    const verdict = this.#verdicts.get(name) ?? verdictOf(job)
    if (verdict === undefined) return this.#lookAtRunning(name, job)
    this.#verdicts.set(name, verdict)
    if (hasTask) {
      if (this.#for(`over ${name}`, this.#courtesy, now)) finish(this.spool, name, verdict, this.#settings)
    } else {
      const isNew = !this.#since.has(`settle ${name}`)
      const isSettled = this.#for(`settle ${name}`, this.#settings.settle, now)
      if (verdict === 'lost' && (isNew || isSettled)) passOnCancel(this.spool, name, this.#settings)
      if (isSettled) archiveJob(this.spool, name)
    }
  }

  #lookAtRunning(name: TaskId, job: string): void {
    const isGone = () => this.#heartbeats.isGone(name, readBeat(join(job, JOB.alive)), performance.now())
    const wasGone = isGone()
    if (!this.#heartbeats.isLate(name, performance.now())) return
    // A file server whose disk hangs may answer reads. Who writes as well, early enough, is held up as long as the owner.
    try {
      refresh(job)
    } catch (error) {
      this.#heartbeats.keep(new Set())
      throw error
    }
    // Now the listing is true as well: an NFSv3 client may have missed the verdict so far.
    if (!wasGone || !isGone() || verdictOf(job) !== undefined) return
    const host = readOwner(job)?.host ?? 'an unknown host'
    const silence = `no sign of life for ${this.#settings.lostAfter / 1000} s`
    warn('hear', name, `${host} gave ${silence}; the job is lost`)
    endGone(this.spool, name, `The slave on ${host} gave ${silence}.`, this.#settings)
  }

  #nextWindow(waiting: TaskId[]): TaskId[] {
    const size = this.#unseen > 0 ? WINDOW.changed : WINDOW.calm
    const from = this.#window < waiting.length ? this.#window : 0
    this.#window = from + size
    const next = [...waiting.slice(from), ...waiting.slice(0, from)].slice(0, size)
    this.#unseen -= next.length
    return next
  }

  /** True if another program has changed `tasks/cur` since the last time. */
  #hasChanged(): boolean {
    const before = this.#times
    this.#times = readBeat(this.spool.tasks.cur)
    return this.#times !== before
  }

  /** T1: ends a queued task that was cancelled. */
  #lookAtWaiting(name: TaskId): void {
    const task = join(this.spool.tasks.cur, name)
    if (this.#isLocal && !existsSync(join(task, TASK.cancel))) return
    const files = listAllIfThere(task)
    if (!files.includes(TASK.cancel) || files.includes(TASK.claim)) return
    endWaiting(this.spool, name, newOwner(this.#settings.host, 'reaper', token()))
  }

  /** L1 and L2: a finished clone names its parent, whose job names the retry to publish. */
  #lookAtClone(name: string, now: number): void {
    const clone = join(this.spool.tasks.tmp, name)
    if (!isTaskId(name) || !listIfThere(clone).includes(TASK.retryOf)) return
    if (!this.#for(`clone ${name}`, this.#courtesy, now)) return
    const parent = readRetryOf(clone)?.parent
    const job = parent === undefined ? undefined : findJob(this.spool, parent)
    if (parent === undefined) return warnOnce('publish', clone, 'it does not say what it would retry')
    if (job === undefined) {
      // Pruned meanwhile, the task before the job: nobody will ever record this clone.
      if (findTask(this.spool, parent) === undefined) sweep(clone)
      return
    }
    settleJob(this.spool, job)
    const standing = retriedAs(job) ?? recordRetry(this.spool, job, name)
    if (standing === name) publishRetry(this.spool, job, name)
    else sweep(clone)
  }

  /** T6: what ended longer ago than RETENTION, by the clock that gives files their times. */
  #prune(now: number): void {
    this.#pruned = now
    if (this.#settings.retention === Infinity) return
    const tasks = prunable(this.spool, {
      before: serverTime(this.spool.tasks.tmp) - this.#settings.retention,
    })
    if (tasks.length > 0) prune(this.spool, tasks)
  }

  #refreshAll(now: number): void {
    const { revs, takers, pause, tasks, jobs } = this.spool
    this.#refreshed = now
    const events = [revs, ...directoriesBelow(revs)]
    // What somebody has changed while we looked is still to be seen by the next look.
    const isSeen = !this.#hasChanged()
    for (const directory of [tasks.cur, tasks.tmp, jobs.cur, jobs.tmp, takers, pause, ...events]) {
      // A directory that is missing, or not ours to touch, is refreshed by its owner.
      tolerating(['EACCES', 'EPERM', 'ENOENT', 'EROFS'], () => refresh(directory))
    }
    if (isSeen) this.#hasChanged()
    else this.#times = undefined
  }
}

function directoriesBelow(directory: string): string[] {
  const read = () => readdirSync(directory, { withFileTypes: true })
  return (tolerating(['EACCES', 'ENOENT', 'ESTALE'], read) ?? [])
    .filter(entry => entry.isDirectory())
    .map(entry => join(directory, entry.name))
    .flatMap(path => [path, ...directoriesBelow(path)])
}
