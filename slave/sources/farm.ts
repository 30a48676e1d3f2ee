// Work from a farmer over HTTP. The worker registers, says each second that it lives, and waits for a job. What the farmer
// does not know any more, or nobody has answered for five seconds, ends at once: then it starts again as a new worker.
//
// In the worker's directory, which is its own:
//   work/PROJECT/code    the clone of a project, kept from job to job
//   work/PROJECT/...     the temporary directories of the job in hand
//   cache/PROJECT        what $BASS_CACHE names
//   job/                 the job in hand, as its steps write it
//   holder.N             which process works here

import { uptime } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { lasting, quote, temporary } from '../../lib/base/exit.ts'
import { makeDirectories } from '../../lib/system/directories.ts'
import { ALIVE, FROZEN, POLL, QUIET } from '../../lib/farm/protocol.ts'
import type { Registered, Registration, WordToWorker, Work } from '../../lib/farm/protocol.ts'
import { JOB } from '../../lib/spool/job-files.ts'
import { listIfThere } from '../../lib/system/listing.ts'
import { sayOnce, warn, warnOnce } from '../../lib/system/log.ts'
import { isGone, self } from '../../lib/system/process.ts'
import type { Identity } from '../../lib/system/process.ts'
import { isToEnd, onHup } from '../../lib/system/renewal.ts'
import { killRemains } from '../run/places/processes.ts'
import type { Assignment, WorkSource } from './assignment.ts'
import type { Health } from './health.ts'
import { hold } from './holder.ts'
import { FarmJob } from './farm-job.ts'
import type { Farmhouse, FarmJobSettings, InHand } from './farm-job.ts'
import { FarmerClient, Gone } from './farmer-client.ts'
import type { Watchdog } from './watchdog.ts'

/** The identity of a worker, and how it works. */
export interface FarmSettings extends FarmJobSettings {
  readonly arch: string
  readonly labels: readonly string[]
  readonly version: string
}

/** Goes on while the machine is suspended, as the monotonic clock does not; in milliseconds. */
const now = (): number => uptime() * 1000

export class FarmSource implements WorkSource, Farmhouse {
  readonly client: FarmerClient
  readonly settings: FarmSettings
  /** Our id at the farmer; undefined while we have none. */
  #worker: string | undefined
  #inHand: InHand | undefined
  /** The last attempt that was given out. */
  #given: string | undefined
  readonly #stop: AbortSignal
  readonly #health: Health
  readonly #about: Registration
  readonly #closed = new AbortController()
  /** When the farmer last knew us, on our own clock. */
  #heard = 0
  readonly #watchdog: Watchdog | undefined
  readonly #living: Promise<void>

  /** `watchdog` watches over this process, which is to be a worker and nothing else. */
  constructor(
    client: FarmerClient,
    settings: FarmSettings,
    health: Health,
    stop: AbortSignal,
    watchdog?: Watchdog,
  ) {
    this.#watchdog = watchdog
    this.#health = health
    this.client = client
    this.settings = settings
    this.#stop = stop
    const { host, directory, arch, labels, version } = settings
    this.#about = { host, slot: directory, arch, labels, version }
    this.#living = this.#live()
  }

  /** Kills what is left of the steps of a worker that died here. Its job is the farmer's to give away. */
  async endDead(): Promise<void> {
    mustBeOwn(this.settings.directory)
    takeDirectory(this.settings.directory)
    makeDirectories(join(this.settings.directory, 'work'))
    for (const project of listIfThere(join(this.settings.directory, 'work')))
      await killRemains(join(this.settings.directory, 'work', project))
  }

  #isStopped(): boolean {
    return this.#stop.aborted
  }

  async next(): Promise<Assignment | undefined> {
    for (let wait = 250; !this.#isStopped() && !isToEnd(); wait = Math.min(2 * wait, 10_000)) {
      try {
        if (!(await this.#health.isWell(this.#stop))) {
          // A worker that is registered is given jobs.
          await this.giveBack()
          continue
        }
        this.#worker ??= await this.#register()
        const patience = AbortSignal.any([this.#stop, onHup(), AbortSignal.timeout(POLL + QUIET)])
        const work = await this.client.ask<Work>(
          'GET',
          `/v1/work?worker=${this.#worker}`,
          undefined,
          patience,
        )
        wait = 250
        if (work && work.attempt !== this.#given) {
          this.#given = work.attempt
          return await FarmJob.take(this, work)
        }
        // We had it and could not end it.
        if (work) await this.client.ask('POST', `/v1/runs/${work.attempt}/lost`, {})
      } catch (error) {
        if (this.#isStopped() || onHup().aborted) break
        if (error instanceof Gone) this.#forget()
        else {
          warnOnce('ask', this.client.origin, error)
          await sleep(wait, undefined, { signal: this.#stop }).catch(() => undefined)
        }
      }
    }
    return undefined
  }

  async close(): Promise<void> {
    this.#closed.abort()
    await this.#living
    const worker = this.#forget()
    if (worker === undefined) return
    // Else it is collected, and that counts.
    await this.client.ask('DELETE', `/v1/workers/${worker}`).catch(() => undefined)
  }

  /** The job in hand is told of from now on, until it is let go. */
  hold(job: InHand): void {
    this.#inHand = job
    void this.#listen(job)
  }

  /** Waits for words about the job in hand: they come with the answers to signs of life as well, but later. */
  async #listen(job: InHand): Promise<void> {
    while (job === this.#inHand && !this.#closed.signal.aborted) {
      const patience = AbortSignal.any([this.#closed.signal, job.over, AbortSignal.timeout(POLL + QUIET)])
      const path = `/v1/runs/${job.attempt}/word?watched=${job.isWatched() ? 1 : 0}`
      const pause = () => sleep(ALIVE, undefined, { signal: patience }).catch(() => undefined)
      const word = await this.client.ask<WordToWorker>('GET', path, undefined, patience).catch(pause)
      if (word && job === this.#inHand) tell(job, word)
      if (word?.word) return
    }
  }

  release(): void {
    this.#inHand = undefined
  }

  /** The farmer does not know us any more, or we it: what we do is nobody's. */
  lose(): void {
    this.#forget()
    this.#inHand?.hear('lost')
  }

  /** Gives the job in hand back, which is nobody's fault; and leaves. */
  async giveBack(): Promise<void> {
    const worker = this.#forget()
    if (worker !== undefined) await this.client.ask('DELETE', `/v1/workers/${worker}`)
  }

  /** We are nobody at the farmer from now on; returns who we were. */
  #forget(): string | undefined {
    const worker = this.#worker
    this.#worker = undefined
    this.#watchdog?.rest()
    return worker
  }

  /** The farmer knew us at this time, before which we had asked: so our time is over before the farmer's. */
  #hear(asked: number): void {
    this.#heard = asked
    this.#watchdog?.killIn(asked + FROZEN - now())
  }

  async #register(): Promise<string> {
    const answer = await this.client.ask<Registered>('POST', '/v1/workers', this.#about)
    if (answer === undefined) throw temporary('register with the farmer', 'it says nothing')
    // The first sign of life follows within a second.
    this.#hear(now())
    const [theirs, ours] = [answer.version ?? 'another age', this.settings.version]
    if (theirs !== ours)
      sayOnce(`the farmer at ${this.client.origin} is of version ${theirs}, this worker of ${ours}`)
    return answer.worker
  }

  async #live(): Promise<void> {
    const { signal } = this.#closed
    while (!signal.aborted) {
      const begun = performance.now()
      if (this.#worker !== undefined) await this.#sign(this.#worker)
      await sleep(Math.max(50, ALIVE - (performance.now() - begun)), undefined, { signal }).catch(
        () => undefined,
      )
    }
  }

  async #sign(worker: string): Promise<void> {
    const job = this.#inHand
    const left = Math.max(100, Math.round(this.#heard + QUIET - now()))
    try {
      const sign = { worker, ...(job ? { attempt: job.attempt, ...job.news() } : {}) }
      const asked = now()
      const answer = await this.client.ask<WordToWorker>('POST', '/v1/alive', sign, AbortSignal.timeout(left))
      if (worker === this.#worker) this.#hear(asked)
      if (job === undefined || job !== this.#inHand) return
      tell(job, answer ?? {})
    } catch (error) {
      if (worker !== this.#worker) return
      if (error instanceof Gone) this.lose()
      else if (now() - this.#heard >= QUIET) {
        warn('reach', this.client.origin, error)
        this.lose()
      }
    }
  }
}

function tell(job: InHand, { word, watched }: WordToWorker): void {
  if (word) job.hear(word)
  else job.watch(watched === true)
}

/** What a job's directory holds. */
const OF_JOBS = new Set<string>(Object.values(JOB))

/** Throws a lasting error where `job` is somebody else's: the first job of ours would remove it. */
function mustBeOwn(directory: string): void {
  const odd = listIfThere(join(directory, 'job')).find(name => !OF_JOBS.has(name))
  if (odd === undefined) return
  const why = `its 'job' holds ${quote(odd)}, which is of no job; start it in a directory of its own`
  throw lasting(`work in ${quote(directory)}`, why)
}

/** Throws a temporary error where another worker is: each would kill the other's steps, and change the code under them. */
function takeDirectory(directory: string): void {
  const other = hold(directory, JSON.stringify(self()), isAnother, directory)
  if (other === undefined) return
  const { pid } = JSON.parse(other) as Identity
  throw temporary(`work in ${quote(directory)}`, `the worker with pid ${pid} works there`)
}

/** True of another process of this machine that lives; what is of another container, or no identity, tells nothing. */
function isAnother(about: string): boolean {
  if (!about.startsWith('{')) return false
  const [me, other] = [self(), JSON.parse(about) as Identity]
  if (other.boot === '' || other.boot !== me.boot || other.namespace !== me.namespace) return false
  return other.pid !== me.pid && !isGone(other)
}
