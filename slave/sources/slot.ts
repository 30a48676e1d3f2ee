// A slot: one taker's working directory. It carries the taker's identity from run to run, which is how a taker that
// starts again finds what it left behind. Beside the spool's takers/SLOT it holds, on the slave's own disk:
//   lastnum      where the next scan starts
//   work/NAME    a symlink to the temporary directory of each job whose directory is still kept (kept.ts)
//   cache/       what $BASS_CACHE names

import { statSync, unlinkSync, writeFileSync } from 'node:fs'
import { statfs, utimes, writeFile } from 'node:fs/promises'
import { availableParallelism, loadavg } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { claimOf, parsePrivateName, showJob } from '../../lib/spool/claim.ts'
import { readIfThere, replaceFile, timeOf, token } from '../../lib/system/durable.ts'
import { mustList } from '../../lib/system/listing.ts'
import { ignoringENOENT } from '../../lib/base/errno.ts'
import { lasting, quote, temporary } from '../../lib/base/exit.ts'
import { isDeadSelf, newOwner, parseOwner, readOwner, verdictOf } from '../../lib/spool/job.ts'
import type { Owner } from '../../lib/spool/job.ts'
import { say, warn, warnOnce } from '../../lib/system/log.ts'
import { endGone } from '../../lib/spool/lose.ts'
import { isGone, self } from '../../lib/system/process.ts'
import { makeDirectories } from '../../lib/system/directories.ts'
import { makeDirectory } from '../../lib/spool/spool.ts'
import type { Spool } from '../../lib/spool/spool.ts'
import { isPart, isTaskId, toPart } from '../../lib/spool/task-name.ts'
import type { TaskId } from '../../lib/spool/task-name.ts'
import { hold } from './holder.ts'
import { KeptWork } from './kept.ts'
import type { SlaveSettings } from './settings.ts'
import { killRemains } from '../run/places/processes.ts'
import { formatMachine, MACHINE_FILE } from '../../lib/view/takers.ts'
import { JOB } from '../../lib/spool/job-files.ts'

/** So long a sign of life has to stand still to be none, and how often to look, in milliseconds. It comes each second. */
const [STILL_MS, STILL_LOOK_MS] = [5000, 200]

/** How often a taker says how its machine fares, in milliseconds. */
const TELL_EVERY = 60_000

export class Slot {
  readonly spool: Spool
  readonly directory: string
  readonly host: string
  readonly settings: SlaveSettings
  readonly work: KeptWork
  /** The taker's own directory in the spool. */
  readonly #card: string
  #beating = false
  #lastNumber: number | undefined
  /** When it last said how the machine fares. */
  #toldAt = -Infinity

  constructor(spool: Spool, settings: SlaveSettings) {
    this.spool = spool
    this.settings = settings
    this.host = settings.host
    this.directory = workingDirectory()
    const { host: HOST, arch: ARCH } = settings
    for (const [name, value] of Object.entries({ HOST, ARCH })) {
      if (!isPart(value))
        throw lasting(`read the setting ${name}`, `${quote(value)} cannot stand in the name of a task`)
    }
    this.work = new KeptWork(this.directory, spool, settings.keep)
    this.#card = join(spool.takers, `${HOST}:${toPart(this.directory.slice(1), 120)}`)
  }

  /** True once somebody has removed the working directory under us: a new one is a new slot. */
  isGone(): boolean {
    return (ignoringENOENT(() => statSync(this.directory).nlink) ?? 0) === 0
  }

  newOwner(): Owner {
    return newOwner(this.host, this.directory, token())
  }

  /**
   * Registers this taker in the spool. Two takers in one slot would share a cache and a place in the queue: refused. So would
   * two machines with one name, of which one is a copy of the other: then each would end the other's jobs.
   */
  async signIn(version: string): Promise<void> {
    makeDirectory(this.#card)
    await this.#refuseCopy(ownerIn(readIfThere(join(this.#card, 'about.txt')) ?? ''))
    const me = { arch: this.settings.arch, host: this.host, slot: this.directory, ...self(), version }
    const about = Object.entries(me)
      .map(([key, value]) => `${key}=${value}\n`)
      .join('')
    const other = hold(this.#card, about, text => this.#isAlive(ownerIn(text)), this.spool.tasks.tmp)
    if (other !== undefined) {
      const { pid } = ownerIn(other)!
      throw temporary(`work in ${quote(this.directory)}`, `the task-taker with pid ${pid} works there`)
    }
    replaceFile(join(this.#card, 'about.txt'), about, this.spool.tasks.tmp)
    writeFileSync(join(this.#card, 'alive'), '')
    this.tell(undefined)
  }

  /** Fails if the taker that said last that it works here is another machine's, which has our name, and beats. */
  async #refuseCopy(other: Owner | undefined): Promise<void> {
    if (other?.host !== this.host || !this.#isElsewhere(other)) return
    const beat = join(this.#card, 'alive')
    if ((await this.#changes([beat])).size === 0) return
    throw temporary(
      `work in ${quote(this.directory)} as ${this.host}`,
      `another machine of that name (boot id ${other.boot}) has a task-taker there, with pid ${other.pid}: set HOST`,
    )
  }

  #isAlive(other: Owner | undefined): boolean {
    if (other?.host !== this.host || other.pid === process.pid) return false
    const me = self()
    return other.boot === me.boot && other.namespace === me.namespace && other.boot !== '' && !isGone(other)
  }

  /** True if it was on another machine, or before this one was started: then nothing here tells whether it lives. */
  #isElsewhere(other: Owner): boolean {
    return other.boot !== '' && other.boot !== self().boot
  }

  /** Those of these files whose times change while we look; none that is not there. */
  async #changes(files: readonly string[]): Promise<ReadonlySet<string>> {
    const before = files.map(file => ({ file, time: timeOf(file) })).filter(({ time }) => time !== null)
    const changed = new Set<string>()
    const end = performance.now() + STILL_MS
    while (before.length > changed.size && performance.now() < end) {
      await sleep(STILL_LOOK_MS)
      for (const { file, time } of before) if (timeOf(file) !== time) changed.add(file)
    }
    return changed
  }

  /** A sign of life, unless the last one is still on its way: a file server that hangs shall not take all threads. */
  async beat(): Promise<void> {
    if (this.#beating) return
    this.#beating = true
    const now = new Date()
    try {
      await utimes(join(this.#card, 'alive'), now, now)
      await this.#tellMachine()
    } finally {
      this.#beating = false
    }
  }

  /** Says how the machine fares, now and then. It is for people: a reader of half of it knows nothing of the machine. */
  async #tellMachine(): Promise<void> {
    if (performance.now() - this.#toldAt < TELL_EVERY) return
    this.#toldAt = performance.now()
    const { bavail, blocks, bsize } = await statfs(this.directory)
    const machine = {
      load: Math.round(loadavg()[0]! * 100) / 100,
      cpus: availableParallelism(),
      diskFree: bavail * bsize,
      diskSize: blocks * bsize,
    }
    await writeFile(join(this.#card, MACHINE_FILE), formatMachine(machine))
  }

  /** Says in the spool why nothing is taken here, or that it is again. It is for people, and may fail. */
  tell(fault: string | undefined): void {
    const path = join(this.#card, 'fault.txt')
    try {
      if (fault === undefined) ignoringENOENT(() => unlinkSync(path))
      else replaceFile(path, fault + '\n', this.spool.tasks.tmp)
    } catch (error) {
      warnOnce('tell of', path, error)
    }
  }

  signOut(): void {
    ignoringENOENT(() => unlinkSync(join(this.#card, 'alive')))
  }

  /** The number after which the next scan starts. */
  get lastNumber(): number {
    return (this.#lastNumber ??= Number(readIfThere(join(this.directory, 'lastnum')) ?? 0) || 0)
  }

  /** Has the next scan start after this number, also that of a later taker in this slot: it is told once the job is under way. */
  startAfter(number: number): void {
    this.#lastNumber = number
    setImmediate(() => {
      const path = join(this.directory, 'lastnum')
      try {
        writeFileSync(path, `${number}\n`)
      } catch (error) {
        // It is a hint.
        warnOnce('write', path, error)
      }
    })
  }

  /** The cache of a project's jobs in this slot, on this slave's own disk. */
  cache(project: string): string {
    const path = join(this.directory, 'cache', `${project}:${this.settings.arch}`)
    makeDirectories(path)
    return path
  }

  /**
   * Ends at once what died in this slot with an earlier taker: what is left of its steps is killed, then the job is
   * `lost` and its task published again. A job that is over may miss its last arrows; the reaper takes them.
   */
  async endDead(): Promise<void> {
    const { tasks, jobs } = this.spool
    for (const entry of mustList(jobs.tmp)) {
      const mine = parsePrivateName(entry)
      const owner = mine && readOwner(join(jobs.tmp, entry))
      if (!owner || !isDeadSelf(owner, this.host, this.directory)) continue
      if (claimOf(this.spool, mine.name) === owner.token) showJob(this.spool, mine.name, owner.token)
    }
    const running = new Set(mustList(jobs.cur))
    const dead: { name: TaskId; elsewhere: boolean }[] = []
    for (const name of mustList(tasks.cur).filter(isTaskId)) {
      if (!running.has(name)) continue
      const job = join(jobs.cur, name)
      const owner = readOwner(job)
      if (!owner || !isDeadSelf(owner, this.host, this.directory) || verdictOf(job)) continue
      dead.push({ name, elsewhere: this.#isElsewhere(owner) })
    }
    // A job that was begun before this machine was started is dead; one of another machine of this name is not.
    const signOf = (name: TaskId) => join(jobs.cur, name, JOB.alive)
    const alive = await this.#changes(
      dead.filter(({ elsewhere }) => elsewhere).map(({ name }) => signOf(name)),
    )
    for (const { name } of dead.filter(({ name }) => !alive.has(signOf(name)))) {
      const job = join(jobs.cur, name)
      try {
        say('info', `ending ${name}: its task-taker died`)
        // The working directory may be another of that path.
        const work = this.work.of(name) ?? readIfThere(join(job, JOB.work))?.trim()
        if (work) await killRemains(work)
        endGone(this.spool, name, `The task-taker on ${this.host} died while it ran this job.`, this.settings)
      } catch (error) {
        warn('end', name, error)
      }
    }
  }
}

/** The identity that a taker has written. */
const ownerIn = (about: string): Owner | undefined => parseOwner(about + 'token=none\n')

function workingDirectory(): string {
  try {
    return process.cwd()
  } catch (error) {
    throw temporary('use the working directory', error)
  }
}
