// task-taker: claims tasks for this architecture and host and runs them, one at a time.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { command, run, version } from '../lib/system/command.ts'
import { listAll } from '../lib/system/durable.ts'
import { temporary, quote } from '../lib/base/exit.ts'
import { warnOnce } from '../lib/system/log.ts'
import { endWaiting } from '../lib/spool/lose.ts'
import { duration, setting } from '../lib/base/settings.ts'
import { openSpool, paused, taskLister } from '../lib/spool/spool.ts'
import type { TaskName } from '../lib/spool/task-name.ts'
import { isReplaced, TREE_DIRECTORIES } from '../lib/system/tree.ts'
import { watch } from '../lib/system/watch.ts'
import { load as loadZstd } from '../lib/bundle/zstd.ts'
import { roomIn } from './disk-room.ts'
import { readLimits } from './run/limits.ts'
import { Pools } from './run/places/pools.ts'
import { takeTask } from './run-job.ts'
import { checkLimits } from './run/run-steps.ts'
import { candidates, isPaused, passAfterRace } from './scan.ts'
import { RUN_SETTINGS } from './settings-help.ts'
import { Slot } from './slot.ts'
import { onTerm } from './term.ts'

/** How often a taker says in the spool that it is there, in milliseconds. */
const BEAT = 1000

/** How long a listing of waiting tasks is worked off before there is a new one, in milliseconds. */
const FRESH = 1000

export const taskTaker = command(
  {
    name: 'task-taker',
    usage: '',
    operands: [0, 0],
    about: `Claims tasks for this architecture and host and runs them, one at a time, in the current directory
as its slot.

Run one for each slot, each in a directory of its own that it finds again when it is restarted: what
died there is ended at once, its task published again. TERM: takes nothing more; the job in hand may
go on for DRAIN, then its task is published again for others. A second TERM is final. When 'bass
deploy' replaces its tree, it ends between two jobs, with 0, to be started from the new one.`,
    environment: { ...RUN_SETTINGS, POLL_INTERVAL: 'how often to look', WATCH: 'auto, events or poll' },
  },
  async () => {
    const spool = openSpool()
    mkdirSync(setting('JOBTMP'), { recursive: true })
    mkdirSync(spool.pause, { recursive: true })
    const slot = new Slot(spool)
    const pools = new Pools()
    await checkLimits(readLimits(), pools)
    slot.signIn(version())
    await slot.endDead()
    const keep = duration('FAILED_JOB_WAITTIME')
    const { stop, drain } = onTerm(() => slot.killRemains())
    // Needed for the first bundle, and slow to load. What goes wrong with it is met there.
    loadZstd().catch(() => undefined)
    const bell = await watch([spool.tasks.cur, spool.pause, ...TREE_DIRECTORIES])
    stop.addEventListener('abort', () => bell.ring())
    const beat = setInterval(
      () => void slot.beat().catch((error: unknown) => warnOnce('beat in', spool.takers, error)),
      BEAT,
    )
    const taker = new Taker(slot, pools, stop, drain)
    try {
      while (!stop.aborted && !isReplaced()) {
        if (slot.isGone())
          throw temporary(`use the working directory ${quote(slot.directory)}`, 'it was removed')
        if (!(await taker.round())) await bell.next()
        await slot.discardOld(keep)
      }
    } finally {
      clearInterval(beat)
      await bell.close()
      slot.signOut()
    }
  },
)

class Taker {
  readonly #slot: Slot
  readonly #pools: Pools
  readonly #stop: AbortSignal
  readonly #drain: AbortSignal
  readonly #hasRoom: () => boolean
  readonly #list: () => readonly TaskName[]
  /** A listing in which nothing was for us: it need not be looked through again. */
  #idle: readonly TaskName[] | undefined
  /** Names that have been seen claimed: never looked at again. */
  #taken = new Set<string>()

  constructor(slot: Slot, pools: Pools, stop: AbortSignal, drain: AbortSignal) {
    this.#slot = slot
    this.#pools = pools
    this.#stop = stop
    this.#drain = drain
    this.#list = taskLister(slot.spool.tasks.cur)
    this.#hasRoom = roomIn([slot.spool.jobs.tmp, setting('JOBTMP')])
  }

  /** Works off one listing, as long as it is fresh. True if there may be more to do at once. */
  async round(): Promise<boolean> {
    const { spool, arch, host, lastNumber } = this.#slot
    const end = performance.now() + FRESH
    const tasks = this.#list()
    if (tasks === this.#idle) return false
    let [pass, passed] = [0, false]
    const listed = new Set(tasks.map(task => task.name))
    this.#taken = new Set([...this.#taken].filter(name => listed.has(name)))
    const ours = candidates(tasks, arch, host, lastNumber, this.#taken)
    if (ours.length === 0) this.#idle = tasks
    for (const task of ours) {
      if (this.#stop.aborted) return false
      if (performance.now() > end) return true
      if (pass > 0) {
        pass--
        passed = true
        continue
      }
      if (isPaused(task, host, paused(spool))) continue
      if (!this.#hasRoom()) {
        // No event tells when there is room again.
        await sleep(duration('POLL_INTERVAL'))
        return true
      }
      try {
        if (!(await this.#take(task))) pass = passAfterRace()
      } catch (error) {
        // The spool is full or away, or this one task is odd and the others are well: go on, but not at full speed.
        warnOnce('take', task.name, error)
        await sleep(duration('POLL_INTERVAL'))
      }
    }
    return passed
  }

  /** Takes a task that waits; false if somebody else was faster by a moment. */
  async #take(task: TaskName): Promise<boolean> {
    const { spool } = this.#slot
    const files = listAll(join(spool.tasks.cur, task.name))
    const ended =
      files.includes('claim') ||
      (files.includes('cancel')
        ? endWaiting(spool, task.name, this.#slot.newOwner())
        : (await takeTask(this.#slot, task, this.#pools, this.#drain)) !== undefined)
    this.#taken.add(task.name)
    return ended
  }
}

if (require.main === module) run(taskTaker)
