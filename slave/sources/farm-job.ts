// A job that a farmer gave us, from its clone to its result.

import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { quote, lasting } from '../../lib/base/exit.ts'
import type { Alive, Loss, Result, Work } from '../../lib/farm/protocol.ts'
import type { Verdict } from '../../lib/spool/job.ts'
import type { Cause } from '../../lib/spool/retry.ts'
import { parseTaskName, toPart } from '../../lib/spool/task-name.ts'
import type { TaskName } from '../../lib/spool/task-name.ts'
import { commandScript } from '../../lib/testfile/script.ts'
import { warnOnce } from '../../lib/system/log.ts'
import { workPaths } from '../run/environment.ts'
import type { TaskFacts } from '../run/facts.ts'
import type { Outcome } from '../run/plan.ts'
import type { Assignment, Heartbeat } from './assignment.ts'
import { checkOut, packClone } from './clone.ts'
import { Gone, NotTaken } from './farmer-client.ts'
import type { FarmerClient } from './farmer-client.ts'
import { knownOf } from './job-report.ts'
import { removeLeftovers } from './leftovers.ts'
import { Live } from './live.ts'
import { storeFiles } from './store-files.ts'
import type { StoredFiles } from './store-files.ts'
import type { Path } from '../../lib/base/brand.ts'
import { makeDirectories } from '../../lib/system/directories.ts'

/** The job in hand, as the signs of life need it. */
export interface InHand {
  readonly attempt: string
  /** Its steps, where they have changed since they were told, and what else is known. */
  news(): Pick<Alive, 'steps' | 'about'>
  hear(word: 'cancelled' | 'lost'): void
  watch(watched: boolean): void
  isWatched(): boolean
  /** Aborted when it is let go. */
  readonly over: AbortSignal
}

export interface FarmJobSettings {
  readonly host: string
  /** The worker's own directory. */
  readonly directory: string
  /** Before a job, what a .gitignore spares is removed from the clone as well. */
  readonly clean: boolean
}

/** The worker that runs a job, as the job needs it. */
export interface Farmhouse {
  readonly client: FarmerClient
  readonly settings: FarmJobSettings
  /** The job in hand is told of from now on, until it is let go. */
  hold(job: InHand): void
  release(): void
  /** The farmer does not know us any more, or we it. */
  lose(): void
  /** Gives the job in hand back, which is nobody's fault, and leaves. */
  giveBack(): Promise<void>
}

/** How long the files of a job that was cancelled may take, in milliseconds: somebody waits for its end. */
const CANCELLED_STORE_MS = 30_000

export class FarmJob implements Assignment {
  readonly task: TaskName
  readonly job: Path
  readonly work: string
  readonly #source: Farmhouse
  readonly #given: Work
  #told = ''
  #stored: StoredFiles = { files: [], notes: [] }
  /** What the farmer did not take of this job, in its words. */
  #notTaken: string | undefined
  #live: Live | undefined
  /** Something was fetched into the clone for it. */
  #fetched = false

  private constructor(source: Farmhouse, given: Work) {
    const { num, project, version, arch, host } = given
    const name = [num, project, version, arch, ...(host === null ? [] : [host])].join(':')
    const task = parseTaskName(name)
    if (!task) throw lasting(`run ${quote(name)}`, 'not a name of a task')
    this.task = task
    this.#source = source
    this.#given = given
    this.job = join(source.settings.directory, 'job')
    this.work = join(source.settings.directory, 'work', project)
  }

  /** Makes an empty directory for it. What one before left may be much: it is removed without holding up the signs of life. */
  static async take(source: Farmhouse, given: Work): Promise<FarmJob> {
    const job = new FarmJob(source, given)
    await removeLeftovers([job.job])
    mkdirSync(job.job)
    return job
  }

  beat(onWord: (word: 'cancelled' | 'lost') => void): Heartbeat {
    let heard = false
    const over = new AbortController()
    this.#source.hold({
      attempt: this.#given.attempt,
      news: () => this.#news(),
      hear: word => {
        if (!heard) onWord(word)
        heard = true
      },
      watch: watched => this.#watch(watched),
      isWatched: () => this.#live !== undefined,
      over: over.signal,
    })
    return {
      stop: () => {
        over.abort()
        this.#source.release()
        this.#watch(false)
      },
    }
  }

  async begin(): Promise<boolean> {
    await removeLeftovers(this.#leftovers())
    makeDirectories(this.work, 0o700)
    return true
  }

  /** What a job leaves in the work directory besides the clone. */
  #leftovers(): string[] {
    const { steps, home, tmp, artifacts } = workPaths(this.work)
    return [steps, home, tmp, artifacts]
  }

  async unpack(stop: AbortSignal): Promise<TaskFacts> {
    const { clone, ref, revision, command, directory, label, params, limits } = this.#given
    const { code, steps } = workPaths(this.work)
    this.#fetched = await checkOut(code, { url: clone, ref, revision }, this.#source.settings.clean, stop)
    mkdirSync(steps)
    if (command === null) await cp(join(code, '.bass'), steps, { recursive: true, verbatimSymlinks: true })
    else writeStep(join(steps, toPart(label.replace(/[^A-Za-z0-9._+~@-]+/g, '-'))), directory, command)
    const { project } = this.task
    const cache = join(this.#source.settings.directory, 'cache', project)
    makeDirectories(cache)
    return {
      task: this.task,
      host: this.#source.settings.host,
      revision,
      ref,
      params,
      limits,
      work: this.work,
      cache,
    }
  }

  /**
   * Puts the files of the job where the farmer says. What is away is asked again, as long as the job is ours; once it is
   * cancelled, for `CANCELLED_STORE_MS`.
   */
  async store(verdict: Verdict, stop: AbortSignal): Promise<void> {
    if (verdict === 'lost') return
    try {
      const { client } = this.#source
      this.#stored = await storeFiles(
        client,
        this.#given.attempt,
        this.job,
        this.task.name,
        patienceFor(stop),
      )
    } catch (error) {
      if (error instanceof Gone) this.#source.lose()
      else if (error instanceof NotTaken) this.#notTaken = `its files are not stored: ${error.message}`
      else if (stop.reason === 'cancelled')
        this.#notTaken = 'its files are not stored: it was cancelled, and the store is away'
      else throw error
    }
    // What was said meanwhile counts, though its files are stored.
    if (verdict !== 'cancelled') stop.throwIfAborted()
  }

  async conclude({ verdict, why }: Outcome, cause: Cause): Promise<Verdict> {
    const { client } = this.#source
    const path = `/v1/runs/${this.#given.attempt}`
    const { files, notes } = this.#stored
    let isBare = false
    for (let wait = 250; ; wait = Math.min(2 * wait, 5000)) {
      try {
        if (verdict === 'lost') {
          if (cause === 'drain') await this.#source.giveBack()
          else await client.ask('POST', `${path}/lost`, { why } satisfies Loss)
          this.#source.lose()
          return 'lost'
        }
        const result = isBare ? { steps: [], files: [] } : { ...knownOf(this.job, notes), files }
        const answer = await client.ask<{ verdict: Verdict }>('POST', `${path}/result`, {
          ...result,
          verdict,
          why: [why, this.#notTaken].filter(words => words !== undefined).join('; ') || undefined,
        } satisfies Result)
        if (answer) {
          if (this.#fetched) await packClone(workPaths(this.work).code)
          return answer.verdict
        }
      } catch (error) {
        if (error instanceof Gone) return 'lost'
        warnOnce('end', this.task.name, error)
        if (error instanceof NotTaken && !isBare) {
          // The verdict is what counts.
          isBare = true
          this.#notTaken = `its steps and files are not told: ${error.message}`
          continue
        }
      }
      await sleep(wait)
    }
  }

  /** Removes all but the clone: so the next job need not wait for that. Of one that failed it stays until then. */
  discard(): Promise<void> {
    return removeLeftovers([this.job, ...this.#leftovers()])
  }

  #news(): Pick<Alive, 'steps' | 'about'> {
    const known = knownOf(this.job)
    const now = JSON.stringify(known)
    if (now === this.#told) return {}
    this.#told = now
    return known
  }

  #watch(watched: boolean): void {
    if (watched) this.#live ??= new Live(this.#source.client, this.job, this.#given.attempt)
    else {
      this.#live?.close()
      this.#live = undefined
    }
  }
}

/** Aborted when `stop` is; where that says that the job is cancelled, `CANCELLED_STORE_MS` later. */
function patienceFor(stop: AbortSignal): AbortSignal {
  const over = new AbortController()
  const onStop = () => {
    const wait = stop.reason === 'cancelled' ? CANCELLED_STORE_MS : 0
    setTimeout(() => over.abort(stop.reason), wait).unref()
  }
  if (stop.aborted) onStop()
  else stop.addEventListener('abort', onStop, { once: true })
  return over.signal
}

/** One step that runs a command as a Testfile means it. */
function writeStep(path: string, directory: string, command: string): void {
  writeFileSync(path, commandScript(directory, command))
  chmodSync(path, 0o755)
}
