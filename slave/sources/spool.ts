// Work out of a spool: which task a slave takes next.

import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { quote, temporary } from '../../lib/base/exit.ts'
import { makeDirectories } from '../../lib/system/directories.ts'
import { endWaiting } from '../../lib/spool/lose.ts'
import { paused, taskLister } from '../../lib/spool/spool.ts'
import type { TaskId, TaskName } from '../../lib/spool/task-name.ts'
import { listAllIfThere } from '../../lib/system/listing.ts'
import { sayOnce, warnOnce } from '../../lib/system/log.ts'
import { isToEnd, onHup } from '../../lib/system/renewal.ts'
import { TREE_DIRECTORIES } from '../../lib/system/tree.ts'
import { watch } from '../../lib/system/watch.ts'
import type { Watch, WatchSettings } from '../../lib/system/watch.ts'
import type { Health } from './health.ts'
import type { Assignment, WorkSource } from './assignment.ts'
import { claimTask } from './claimed-task.ts'
import { OddTasks } from './odd.ts'
import { Rivals } from './rivals.ts'
import { candidates, isPaused, workOff } from './scan.ts'
import type { Slot } from './slot.ts'
import { TASK } from '../../lib/spool/job-files.ts'

/** How often a taker says in the spool that it is there, in milliseconds. */
const CARD_BEAT_MS = 1000

/** The tasks of a spool, as a task-taker claims them for its slot until `stop` is aborted. */
export class SpoolSource implements WorkSource {
  readonly #slot: Slot
  readonly #stop: AbortSignal
  readonly #bell: Watch
  readonly #timer: NodeJS.Timeout
  readonly #health: Health
  readonly #list: () => readonly TaskName[]
  readonly #offers: AsyncGenerator<Assignment, void>
  /** A listing in which nothing was for us: it need not be looked through again. */
  #idle: readonly TaskName[] | undefined
  /** Names that have been seen claimed: never looked at again. */
  #taken = new Set<TaskId>()
  readonly #odd: OddTasks
  #again: NodeJS.Timeout | undefined
  readonly #rivals: Rivals

  private constructor(slot: Slot, health: Health, stop: AbortSignal, bell: Watch) {
    this.#slot = slot
    this.#health = health
    this.#stop = stop
    this.#bell = bell
    stop.addEventListener('abort', () => bell.ring())
    this.#timer = setInterval(
      () => void slot.beat().catch((error: unknown) => warnOnce('beat in', slot.spool.takers, error)),
      CARD_BEAT_MS,
    )
    this.#list = taskLister(slot.spool.tasks.cur)
    this.#odd = new OddTasks(2 * slot.settings.poll)
    this.#rivals = new Rivals(slot)
    this.#offers = this.#offer()
  }

  /** Signs the slot in as a taker of this version. */
  static async open(
    slot: Slot,
    version: string,
    health: Health,
    how: WatchSettings,
    stop: AbortSignal,
  ): Promise<SpoolSource> {
    const { spool } = slot
    makeDirectories(spool.pause)
    await slot.signIn(version)
    await health.begin()
    const bell = await watch([spool.tasks.cur, spool.pause, ...TREE_DIRECTORIES], how)
    onHup().addEventListener('abort', () => bell.ring())
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

  async *#offer(): AsyncGenerator<Assignment, void> {
    while (!this.#stop.aborted && !isToEnd()) {
      this.#mustHaveSlot()
      const more = yield* this.#round()
      if (!more && this.#health.isSick) await this.#health.isWell(AbortSignal.any([this.#stop, onHup()]))
      else if (!more) await this.#bell.next()
      await this.#slot.work.discardOld()
    }
  }

  #mustHaveSlot(): void {
    if (!this.#slot.isGone()) return
    throw temporary(`use the working directory ${quote(this.#slot.directory)}`, 'it was removed')
  }

  /** Works off one listing, as long as it is fresh. Returns true if there may be more to do at once. */
  async *#round(): AsyncGenerator<Assignment, boolean> {
    const { spool, lastNumber, settings } = this.#slot
    const { arch, host, poll } = settings
    const tasks = this.#list()
    if (tasks === this.#idle) return false
    const listed = new Set(tasks.map(task => task.name))
    this.#taken = new Set([...this.#taken].filter(name => listed.has(name)))
    const ours = candidates(tasks, arch, host, lastNumber, this.#taken)
    if (ours.length === 0) this.#idle = tasks
    this.#odd.keep(listed)
    const turns = workOff(tasks, ours, this.#list)
    for (let missed = false; ;) {
      const turn = turns.next(missed)
      if (turn.done) return turn.value
      const task = turn.value
      if (this.#stop.aborted) return false
      missed = false
      if (this.#odd.rests(task.name, performance.now())) continue
      this.#mustHaveSlot()
      try {
        if (isPaused(task, host, paused(spool))) continue
        if (!(await this.#health.isWell(this.#stop))) return true
        const taken = this.#take(task)
        if (taken === 'missed') missed = true
        else if (taken === 'left') this.#lookAgain()
        else if (taken !== 'over') yield taken
        this.#odd.worked(task.name)
      } catch (error) {
        // The spool is full or away, or this one task is odd and the others are well: go on, but not at full speed.
        warnOnce('take', task.name, error)
        const rest = this.#odd.failed(task.name, performance.now())
        setTimeout(() => this.#bell.ring(), rest + 1).unref()
        await sleep(poll)
      }
    }
  }

  /** No event tells when a task that is left to others is to be looked at again. */
  #lookAgain(): void {
    clearTimeout(this.#again)
    this.#again = setTimeout(() => this.#bell.ring(), CARD_BEAT_MS)
    this.#again.unref()
  }

  /** Why a waiting task is left to others, or undefined. */
  #whyLeft(task: TaskName, files: readonly string[]): string | undefined {
    const directory = join(this.#slot.spool.tasks.cur, task.name)
    const program = this.#health.lacksFor(directory)
    if (program !== undefined) return `${program} is not installed here`
    if (files.includes(TASK.retryOf) && this.#rivals.isForOthers(task, directory))
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
    if (!files.includes(TASK.claim) && !files.includes(TASK.cancel)) {
      const why = this.#whyLeft(task, files)
      if (why !== undefined) {
        sayOnce(`${task.name} is left to others: ${why}`)
        return 'left'
      }
    }
    const taken = files.includes(TASK.claim)
      ? 'over'
      : files.includes(TASK.cancel)
        ? endWaiting(spool, task.name, this.#slot.newOwner()) && 'over'
        : claimTask(this.#slot, task)
    this.#taken.add(task.name)
    return taken || 'missed'
  }
}
