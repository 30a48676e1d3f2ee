// The work of a task-maker: which event is next, what is made of it, and what becomes of one that fails. The states are
// in record.ts; all this may be cut short at any instant.

import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { drawNumbers } from '../../lib/spool/counter.ts'
import { isErrno } from '../../lib/base/errno.ts'
import { EXIT, Fatal, lasting, quote, temporary } from '../../lib/base/exit.ts'
import { GitError } from '../../lib/git/repository.ts'
import { say, warnOnce } from '../../lib/system/log.ts'
import { roomForVersion } from '../../lib/spool/task-name.ts'
import { fillTask } from './bundle.ts'
import type { Sources } from './bundle.ts'
import { EventQueue, OTHERS_TURN, SYSTEM_PAUSE } from './event-queue.ts'
import type { Pending } from './event-queue.ts'
import { BadEvent, inOrder, eventPath } from './events.ts'
import type { Event } from './events.ts'
import * as records from './record.ts'
import { makeRecipes } from './recipes.ts'
import type { Recipe } from './recipes.ts'
import type { Decision, ProjectDirectories } from './record.ts'
import { Repositories } from './repositories.ts'
import type { RepositorySettings } from './repositories.ts'
import { addTry, countTries, delayAfter } from './tries.ts'

export interface MakerSettings extends RepositorySettings {
  readonly project: ProjectDirectories
  /** `ARCH` or `ARCH:HOST`: one task of an event for each. */
  readonly targets: readonly string[]
  /** How often an event is tried before it is given up. */
  readonly eventTries: number
}

/** An event that is being worked off. */
interface Work {
  readonly event: Event
  readonly record: string
  /** The contents of its tasks; undefined if the decision has been made. */
  readonly recipes: Promise<readonly Recipe[] | undefined>
}

/** So many events are prepared at a time: git and the compressor run beside us. Half of them begin together. */
const AHEAD = 8

const SWEEP_EVERY = 3600_000

/** How long one may take from opening an event to writing its lines, in milliseconds. */
const WRITING_MS = 20

/** An archive may be forgotten between being found and being linked; more often than this it is something else. */
const BUILD_TRIES = 3

export class Maker {
  readonly #settings: MakerSettings
  readonly #print: (names: readonly string[]) => void
  readonly #signal: AbortSignal | undefined
  readonly #repositories: Repositories
  readonly #queue: EventQueue
  #swept = -Infinity

  /** `print` receives the names of tasks when they are published and durable. An aborted `signal` ends the work. */
  constructor(settings: MakerSettings, print: (names: readonly string[]) => void, signal?: AbortSignal) {
    const { project, targets } = settings
    this.#settings = settings
    this.#queue = new EventQueue(project)
    this.#print = print
    this.#signal = signal
    const versionMax = Math.min(...targets.map(target => roomForVersion(project.name, target)))
    if (versionMax < 20) {
      throw lasting(
        `name the tasks of ${quote(project.name)}`,
        'the project and $ARCHS leave no room for a version',
      )
    }
    this.#repositories = new Repositories(settings, versionMax, signal)
  }

  /** The events whose turn it is; each is to be given to `burst`. */
  due(): readonly Pending[] {
    return this.#queue.next()
  }

  /**
   * Processes these events; failures are reported and left for later. Returns the milliseconds after which to
   * look again at the latest. Throws Fatal if nothing at all can be processed.
   */
  async burst(pending: readonly Pending[]): Promise<number> {
    let next = Infinity
    if (pending.length > 0) {
      await this.#repositories.use(async sources => {
        const ahead: Work[] = []
        const endFirst = async () => {
          const failure = await this.#end(sources, ahead.shift()!)
          if (failure) say('warning', failure.message)
        }
        const ordered = await inOrder(pending, sources.code)
        sources.code.expectDescribed(ordered.map(({ revision }) => revision))
        for (const [i, one] of ordered.entries()) {
          if (i % (AHEAD / 2) === 0) while (ahead.length > AHEAD / 2) await endFirst()
          if (this.#signal?.aborted) break
          const work = this.#begin(sources, one)
          if (work) ahead.push(work)
          else next = OTHERS_TURN
        }
        while (ahead.length > 0) await endFirst()
      })
      this.#forgetEnded()
      this.#repositories.rest()
    }
    this.#sweep()
    return Math.min(next, this.#queue.patience())
  }

  /**
   * Processes one event, the oldest possible, and returns true; false if there is none. Throws Fatal if it
   * failed.
   */
  async once(): Promise<boolean> {
    const pending = this.due()
    const worked =
      pending.length > 0 &&
      (await this.#repositories.use(async sources => {
        for (const one of await inOrder(pending, sources.code)) {
          const work = this.#begin(sources, one)
          if (!work) continue
          const failure = await this.#end(sources, work)
          this.#forgetEnded()
          if (failure) throw failure
          return true
        }
        return false
      }))
    if (!worked) this.#sweep()
    return worked
  }

  /** Makes ready for the first events, for a maker that will stay. */
  warmUp(): Promise<void> {
    return this.#repositories.warmUp()
  }

  /** Begins to make what the event of this commit will need, should there be one soon; the event will say what fails. */
  foresee(revision: string): void {
    void this.#repositories.foresee(revision)
  }

  /** Ends what runs for this maker. */
  close(): void {
    this.#repositories.close()
  }

  /** E0 to E1, or continues a record. Undefined if another maker took the event, or it cannot be taken. */
  #begin(sources: Sources, { record: existing, ...event }: Pending): Work | undefined {
    const { project } = this.#settings
    let record = existing
    try {
      record ??= records.takeEvent(project, event)
    } catch (error) {
      warnOnce('take the event', join(project.revs, eventPath(event)), error)
    }
    if (record === undefined) return undefined
    const recipes = this.#prepare(sources, record, event)
    // It is awaited when its turn has come, and a failure is no news before.
    recipes.catch(() => undefined)
    return { event, record, recipes }
  }

  async #prepare(sources: Sources, record: string, event: Event): Promise<readonly Recipe[] | undefined> {
    if (records.decisionOf(record)) return undefined
    const isJustOpened = records.isJustOpened(record, event)
    const recipes = this.#makeRecipes(sources, record, event)
    if (!isJustOpened) return recipes
    // `echo BASE=... >event`, as the hook does it, may be between its two steps: we were woken by the first.
    const [made] = await Promise.all([recipes, sleep(WRITING_MS)])
    return records.readParams(record, event) === '' ? made : this.#makeRecipes(sources, record, event)
  }

  #makeRecipes(sources: Sources, record: string, event: Event): Promise<readonly Recipe[]> {
    return makeRecipes(sources, this.#settings.targets, {
      ...event,
      params: records.readParams(record, event),
    })
  }

  /** E1 to E4: makes the tasks, or counts one more failure and returns it. */
  async #end(sources: Sources, { event, record, recipes }: Work): Promise<Fatal | undefined> {
    const { spool, project } = this.#settings
    try {
      const made = await recipes
      const stands =
        records.decisionOf(record) ??
        (made && records.decide(spool, project, record, await this.#build(sources, record, event, made)))
      if (stands) this.#carryOut(record, stands)
      this.#queue.forget(record)
      return undefined
    } catch (error) {
      if (error instanceof Fatal && error.exitCode === EXIT.lasting) throw error
      // Asked to stop, or finished by another maker: nothing has failed.
      if (this.#signal?.aborted || this.#isOver(record)) return undefined
      return this.#fail(record, event, error)
    }
  }

  /** True if another maker has ended the record, as far as can be known. */
  #isOver(record: string): boolean {
    try {
      return records.isEnded(this.#settings.project, record)
    } catch {
      // Then it is tried again, which says the same if it has.
      return false
    }
  }

  /** E1: the batch, built of what the event becomes. */
  async #build(
    sources: Sources,
    record: string,
    event: Event,
    recipes: readonly Recipe[],
  ): Promise<Decision> {
    const { spool, project } = this.#settings
    for (let tries = 1, made = recipes; ; tries++) {
      const count = made.reduce((sum, { targets }) => sum + targets.length, 0)
      let next = drawNumbers(spool.ctr, count)
      const written = new Map<string | Buffer, string>()
      const groups = made.map(({ targets, bundle }) => ({
        names: targets.map(target => `${next++}:${project.name}:${bundle.version}:${target}`),
        fill: (task: string) => fillTask(task, bundle, written),
      }))
      try {
        return records.buildBatch(spool, project, record, event, groups)
      } catch (error) {
        if (tries === BUILD_TRIES || !isErrno(error, 'ENOENT')) throw error
        made = await this.#makeRecipes(sources, record, event)
      }
    }
  }

  /** E2 to E4: does what was decided about a record. */
  #carryOut(record: string, decision: Decision): void {
    const { spool, project } = this.#settings
    if ('failed' in decision) {
      records.moveToFailed(project, record)
      return
    }
    const names = records.publishBatch(spool, project, record, decision)
    if (names.length > 0) this.#print(names)
  }

  /** Leaves an event that failed for its next turn, or gives it up. Returns the reason, and the delay. */
  #fail(record: string, event: Event, error: unknown): Fatal {
    const { spool, project, eventTries } = this.#settings
    const attempt = `make tasks of ${quote(eventPath(event))}`
    const why = error instanceof Error ? error.message : String(error)
    let pause = SYSTEM_PAUSE
    if (error instanceof GitError || error instanceof BadEvent) {
      if (addTry(record, why, eventTries)) {
        const stands = records.decide(spool, project, record, { failed: why })
        if (stands) this.#carryOut(record, stands)
        this.#queue.forget(record)
        return lasting(attempt, `${why}; given up, it is in ${quote(project.failed)}`)
      }
      pause = delayAfter(countTries(record))
    }
    this.#queue.rest(record, pause)
    return temporary(attempt, error)
  }

  #forgetEnded(): void {
    const { project } = this.#settings
    try {
      records.forgetEnded(project)
    } catch (error) {
      // The next look at the records does it.
      warnOnce('delete what has ended in', project.making, error)
    }
  }

  #sweep(): void {
    const now = performance.now()
    if (now - this.#swept < SWEEP_EVERY) return
    try {
      records.sweepBatches(this.#settings.spool.tasks.tmp, this.#settings.project)
      this.#swept = now
    } catch (error) {
      // A directory that cannot be listed holds no rubbish that we know of; there is time.
      warnOnce('sweep', this.#settings.spool.tasks.tmp, error)
      this.#swept = now - SWEEP_EVERY + SYSTEM_PAUSE
    }
  }
}
