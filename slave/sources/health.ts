// Whether this machine can run jobs. A taker tries its places before it takes a task: what fails through its own fault
// says nothing of the work and is left to others. A machine that fails rests, with growing pauses, and says so once.

import { accessSync, constants, statfsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

import { isErrno, reasonOf } from '../../lib/base/errno.ts'
import { Fatal, quote } from '../../lib/base/exit.ts'
import { say } from '../../lib/system/log.ts'
import { MachineFault } from '../run/places/machine-fault.ts'
import { missingUnpackers, neededUnpackers } from '../run/unpackers.ts'
import type { Path } from '../../lib/base/brand.ts'
import { makeDirectories } from '../../lib/system/directories.ts'
import { tryJobtmp, trySlot } from './tries.ts'
import type { SlaveSettings } from './settings.ts'

/** How long a thorough try counts, in milliseconds: it starts a process. */
const TRIED = 10_000
/** The longest rest, in milliseconds. */
const REST_MAX_MS = 60_000
/** A job makes at least so many files in each place. */
const INODES = 50

export interface TriedPlaces {
  /** Where jobs are being claimed, in the spool; undefined for a slave without a spool. */
  readonly jobs?: string
  /** The slave's working directory. */
  readonly slot: string
}

/** Where `path` is PATH, which steps get. */
export type HealthSettings = Pick<SlaveSettings, 'jobtmp' | 'diskMin' | 'poll' | 'path'>

export class Health {
  readonly #places: TriedPlaces
  readonly #tell: (fault: string | undefined) => void
  readonly #settings: HealthSettings
  #triedAt = -Infinity
  #missing: readonly string[] = []
  /** What was told last. */
  #fault: string | undefined
  /** What a job has met that no try here finds: it stands until a job is run. */
  #met: string | undefined
  #isSick = false
  #failures = 0
  /** True after a job that failed without a fault of its own. */
  #due = false

  /** `tell` is called when a fault begins, becomes another, or ends. */
  constructor(places: TriedPlaces, settings: HealthSettings, tell: (fault: string | undefined) => void) {
    this.#places = places
    this.#settings = settings
    this.#tell = tell
  }

  /**
   * True if a job can be run here now. Otherwise rests a while, less if `stop` is aborted: longer each time until a job has
   * been run again.
   */
  async isWell(stop: AbortSignal): Promise<boolean> {
    if (this.#due) {
      this.#due = false
      await this.#rest(stop)
    }
    const fault = await this.fault()
    this.#note(fault)
    if (fault === undefined) return !stop.aborted
    await this.#rest(stop)
    return false
  }

  /** Tries this machine, and says what is wrong. For a slave that starts. */
  async begin(): Promise<void> {
    this.#note(await this.fault())
  }

  /** True from when a fault was found until `isWell`, which is to be asked again and again then, finds none. */
  get isSick(): boolean {
    return this.#isSick
  }

  /** Returns the fault that keeps this machine from running a job, or undefined. */
  async fault(): Promise<string | undefined> {
    const fault = this.#look()
    if (fault !== undefined || performance.now() - this.#triedAt < TRIED) return fault
    const tried = await this.#try()
    if (tried === undefined) this.#triedAt = performance.now()
    return tried
  }

  /**
   * Returns the fault of this machine, for a job that failed with an error which is not the work's; undefined if nothing is
   * found. Then a rest is due, which the next `isWell` takes.
   */
  async blame(error: unknown): Promise<string | undefined> {
    this.#triedAt = -Infinity
    this.#due = true
    if (error instanceof MachineFault) this.#met = error.message
    const fault = error instanceof MachineFault ? error.message : await this.fault()
    this.#note(fault)
    return fault
  }

  async #rest(stop: AbortSignal): Promise<void> {
    const pause = Math.min(this.#settings.poll * 2 ** this.#failures++, REST_MAX_MS)
    await sleep(pause, undefined, { signal: stop }).catch(() => undefined)
  }

  /** The program that it takes to unpack this task and that is not here, or undefined. */
  lacksFor(task: Path): string | undefined {
    return neededUnpackers(task, this.#missing)[0]
  }

  /** A job was run: whatever was wrong is not any more. */
  hasRun(): void {
    this.#failures = 0
    this.#met = undefined
    if (!this.#isSick) this.#note(undefined)
  }

  #note(found: string | undefined): void {
    this.#isSick = found !== undefined
    const fault = found ?? this.#met
    if (fault === this.#fault) return
    if (fault !== undefined) {
      // Pages show the fault to anybody, and not where this is.
      const places = `the slot is ${quote(this.#places.slot)}, JOBTMP ${quote(this.#settings.jobtmp)}`
      say('warning', `unable to take tasks: ${fault} (${places})`)
    } else say('info', 'tasks are taken again')
    this.#fault = fault
    this.#tell(fault)
  }

  /** Looks for faults that the system tells without a try. */
  #look(): string | undefined {
    for (const [name, path] of this.#all()) {
      try {
        mustBeWritable(path, name === 'JOBTMP')
        const { bavail, bsize, files, ffree } = statfsSync(path)
        if (bavail * bsize < this.#settings.diskMin) return `disk full: less than DISK_MIN is left in ${name}`
        if (files > 0 && ffree < INODES) return `disk full: no file can be made in ${name}`
      } catch (error) {
        // A working directory that was removed is no fault that passes: its source ends with it.
        if (name === 'the slot' && isErrno(error, 'ENOENT')) return undefined
        return `${name} cannot be written: ${reasonOf(error)}`
      }
    }
    return undefined
  }

  *#all(): Generator<readonly [string, string]> {
    const { jobs, slot } = this.#places
    if (jobs !== undefined) yield ['the spool', jobs]
    yield ['the slot', slot]
    yield ['JOBTMP', this.#settings.jobtmp]
  }

  /** Does what a job does: makes files, and runs one of them. */
  async #try(): Promise<string | undefined> {
    const { path: PATH, jobtmp } = this.#settings
    if (PATH === undefined) return 'PATH is not set'
    this.#missing = missingUnpackers(PATH)
    try {
      trySlot(this.#places.slot)
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return undefined
      return `the slot cannot be written: ${reasonOf(error)}`
    }
    try {
      await tryJobtmp(jobtmp, PATH)
      return undefined
    } catch (error) {
      // Not the program's name, which is another each time: what was said before is not said again.
      const reason = reasonOf(error instanceof Fatal ? error.cause : error)
      return `no program can be made and run in JOBTMP: ${reason}`
    }
  }
}

/** Fails if it is no directory that can be written; with `make` it is made where it is not there. */
function mustBeWritable(path: string, make: boolean): void {
  try {
    accessSync(path, constants.W_OK | constants.X_OK)
  } catch (error) {
    if (!make || !isErrno(error, 'ENOENT')) throw error
    makeDirectories(path)
  }
}
