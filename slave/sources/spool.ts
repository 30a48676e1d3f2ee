// Work out of a spool: the states T1 to T5 of the design, as a slave takes them.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { isErrno } from '../../lib/base/errno.ts'
import { quote, temporary } from '../../lib/base/exit.ts'
import { duration } from '../../lib/base/settings.ts'
import { claim } from '../../lib/spool/claim.ts'
import { explain, formatVerdict, giveVerdict } from '../../lib/spool/job.ts'
import type { Owner, Verdict } from '../../lib/spool/job.ts'
import { endWaiting, finish, isCancelled } from '../../lib/spool/lose.ts'
import type { Cause } from '../../lib/spool/retry.ts'
import { paused, taskLister } from '../../lib/spool/spool.ts'
import type { TaskId, TaskName } from '../../lib/spool/task-name.ts'
import { listAllIfThere, mustList } from '../../lib/system/listing.ts'
import { remove } from '../../lib/system/durable.ts'
import { sayOnce, warn, warnOnce } from '../../lib/system/log.ts'
import { isReplaced, TREE_DIRECTORIES } from '../../lib/system/tree.ts'
import { watch } from '../../lib/system/watch.ts'
import type { Health } from './health.ts'
import { readFacts } from '../run/facts.ts'
import type { TaskFacts } from '../run/facts.ts'
import { persistJob, writePlain } from '../run/job-writer.ts'
import type { Outcome } from '../run/plan.ts'
import { makeWork, unpackTask, workOf } from '../run/work.ts'
import type { Assignment, Heartbeat, WorkSource } from './assignment.ts'
import { startHeartbeat } from './heartbeat.ts'
import { OddTasks } from './odd.ts'
import { Rivals } from './rivals.ts'
import { candidates, isPaused, passAfterRace } from './scan.ts'
import type { Slot } from './slot.ts'
import type { Path } from '../../lib/base/brand.ts'

/** How often a taker says in the spool that it is there, in milliseconds. */
const BEAT = 1000

/** How long a listing of waiting tasks is worked off before there is a new one, in milliseconds. */
const FRESH = 1000

/** Claims a task for a slot; undefined if somebody else has it. */
export function claimTask(slot: Slot, task: TaskName): Assignment | undefined {
  const owner = slot.newOwner()
  const job = claim(slot.spool, task.name, owner)
  if (job === undefined) return undefined
  slot.lastNumber = task.num
  return new ClaimedTask(slot, task, job, owner)
}

/** The tasks of a spool, as a task-taker claims them for its slot until `stop` is aborted. */
export class SpoolSource implements WorkSource {
  readonly #slot: Slot
  readonly #stop: AbortSignal
  readonly #bell: Awaited<ReturnType<typeof watch>>
  readonly #timer: NodeJS.Timeout
  readonly #health: Health
  readonly #list: () => readonly TaskName[]
  readonly #offers: AsyncGenerator<Assignment, void>
  /** A listing in which nothing was for us: it need not be looked through again. */
  #idle: readonly TaskName[] | undefined
  /** Names that have been seen claimed: never looked at again. */
  #taken = new Set<TaskId>()
  readonly #odd = new OddTasks(2 * duration('POLL_INTERVAL'))
  #again: NodeJS.Timeout | undefined
  readonly #rivals: Rivals

  private constructor(
    slot: Slot,
    health: Health,
    stop: AbortSignal,
    bell: Awaited<ReturnType<typeof watch>>,
  ) {
    this.#slot = slot
    this.#health = health
    this.#stop = stop
    this.#bell = bell
    stop.addEventListener('abort', () => bell.ring())
    this.#timer = setInterval(
      () => void slot.beat().catch((error: unknown) => warnOnce('beat in', slot.spool.takers, error)),
      BEAT,
    )
    this.#list = taskLister(slot.spool.tasks.cur)
    this.#rivals = new Rivals(slot)
    this.#offers = this.#offer(duration('FAILED_JOB_WAITTIME'))
  }

  /** Signs the slot in as a taker of this version. */
  static async open(slot: Slot, version: string, health: Health, stop: AbortSignal): Promise<SpoolSource> {
    const { spool } = slot
    mkdirSync(spool.pause, { recursive: true })
    await slot.signIn(version)
    await health.begin()
    const bell = await watch([spool.tasks.cur, spool.pause, ...TREE_DIRECTORIES])
    return new SpoolSource(slot, health, stop, bell)
  }

  endDead(): Promise<void> {
    return this.#slot.endDead()
  }

  async next(): Promise<Assignment | undefined> {
    return (await this.#offers.next()).value ?? undefined
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    clearTimeout(this.#again)
    await this.#bell.close()
    this.#slot.signOut()
  }

  /** `keep`: milliseconds for which the temporary directory of a failed job is kept. */
  async *#offer(keep: number): AsyncGenerator<Assignment, void> {
    while (!this.#stop.aborted && !isReplaced()) {
      this.#mustHaveSlot()
      const more = yield* this.#round()
      if (!more && this.#health.isSick) await this.#health.isWell(this.#stop)
      else if (!more) await this.#bell.next()
      await this.#slot.discardOld(keep)
    }
  }

  #mustHaveSlot(): void {
    if (!this.#slot.isGone()) return
    throw temporary(`use the working directory ${quote(this.#slot.directory)}`, 'it was removed')
  }

  /** Works off one listing, as long as it is fresh. Returns true if there may be more to do at once. */
  async *#round(): AsyncGenerator<Assignment, boolean> {
    const { spool, arch, host, lastNumber } = this.#slot
    const end = performance.now() + FRESH
    const tasks = this.#list()
    if (tasks === this.#idle) return false
    let [pass, passed] = [0, false]
    const listed = new Set(tasks.map(task => task.name))
    this.#taken = new Set([...this.#taken].filter(name => listed.has(name)))
    const ours = candidates(tasks, arch, host, lastNumber, this.#taken)
    if (ours.length === 0) this.#idle = tasks
    this.#odd.keep(listed)
    for (const task of ours) {
      if (this.#stop.aborted) return false
      if (this.#odd.rests(task.name, performance.now())) continue
      if (performance.now() > end) return true
      if (pass > 0) {
        pass--
        passed = true
        continue
      }
      this.#mustHaveSlot()
      try {
        if (isPaused(task, host, paused(spool))) continue
        if (!(await this.#health.isWell(this.#stop))) return true
        const taken = this.#take(task)
        if (taken === 'missed') pass = passAfterRace()
        else if (taken === 'left') this.#lookAgain()
        else if (taken !== 'over') yield taken
        this.#odd.worked(task.name)
      } catch (error) {
        // The spool is full or away, or this one task is odd and the others are well: go on, but not at full speed.
        warnOnce('take', task.name, error)
        const rest = this.#odd.failed(task.name, performance.now())
        setTimeout(() => this.#bell.ring(), rest + 1).unref()
        await sleep(duration('POLL_INTERVAL'))
      }
    }
    return passed
  }

  /** No event tells when a task that is left to others is to be looked at again. */
  #lookAgain(): void {
    clearTimeout(this.#again)
    this.#again = setTimeout(() => this.#bell.ring(), BEAT)
    this.#again.unref()
  }

  /** Why a waiting task is left to others, or undefined. */
  #whyLeft(task: TaskName, files: readonly string[]): string | undefined {
    const directory = join(this.#slot.spool.tasks.cur, task.name)
    const program = this.#health.lacksFor(directory)
    if (program !== undefined) return `${program} is not installed here`
    if (files.includes('retry-of.txt') && this.#rivals.isForOthers(task, directory))
      return 'it was lost here before'
    return undefined
  }

  /**
   * Takes a task that waits, or ends it where that is wanted; `missed` if somebody else was faster by a moment, `left` if
   * others are to take it.
   */
  #take(task: TaskName): Assignment | 'over' | 'missed' | 'left' {
    const { spool } = this.#slot
    const files = listAllIfThere(join(spool.tasks.cur, task.name))
    if (!files.includes('claim') && !files.includes('cancel')) {
      const why = this.#whyLeft(task, files)
      if (why !== undefined) {
        sayOnce(`${task.name} is left to others: ${why}`)
        return 'left'
      }
    }
    const taken = files.includes('claim')
      ? 'over'
      : files.includes('cancel')
        ? endWaiting(spool, task.name, this.#slot.newOwner()) && 'over'
        : claimTask(this.#slot, task)
    this.#taken.add(task.name)
    return taken || 'missed'
  }
}

/** A task of the spool from its claim to its archive. */
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
    this.work = workOf(token)
    this.#slot = slot
    this.#token = token
    this.#directory = join(slot.spool.tasks.cur, task.name)
  }

  beat(onWord: (word: 'cancelled' | 'lost') => void): Heartbeat {
    return startHeartbeat(this.job, this.#directory, duration('LOST_AFTER'), onWord)
  }

  begin(): boolean {
    if (this.#wasCancelled()) return false
    // First of all, so that there is never one that nobody knows.
    this.#slot.remember(this.task.name, this.work)
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
    await unpackTask(this.#directory, this.work, stop)
    const { task, work } = this
    const cache = this.#slot.cache(task.project)
    return { task, host: this.#slot.host, ...readFacts(this.#directory), work, cache }
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
    const { spool } = this.#slot
    const { name } = this.task
    for (let wait = 500; ; wait = Math.min(2 * wait, 10_000)) {
      try {
        // Whatever else ended the work, for instance that the slave was told to stop: nobody wants it any more.
        const ours = verdict === 'lost' && isCancelled(spool, name) ? 'cancelled' : verdict
        if (ours !== verdict) this.#prepared = undefined
        else if (why !== undefined) explain(this.job, why)
        const { stands } = giveVerdict(this.job, ours, this.#prepared)
        // A verdict that is not ours is another's to finish.
        if (stands === ours) finish(spool, name, stands, cause)
        return stands
      } catch (error) {
        // Its name may be gone.
        this.#prepared = undefined
        // The room that its artifacts take is enough: a cancel always wins.
        if (verdict === 'cancelled' && isErrno(error, 'ENOSPC', 'EDQUOT')) remove(join(this.job, 'artifacts'))
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
    return this.#slot.discard(this.task.name)
  }
}
