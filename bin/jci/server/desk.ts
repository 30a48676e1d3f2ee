// Who gets which job, and when a job is over: whether it is, only the forge knows.

import { setTimeout as sleep } from 'node:timers/promises'

import { warn } from '../../../lib/system/log.ts'
import type { ForgeClient } from './forge.ts'
import type { Job, Jobs } from './jobs.ts'
import type { Results } from './results.ts'

/** The forge is asked of a job no more often, in milliseconds. */
const LOOK = 15_000
/** A runner that has not polled for so long is gone. */
const LOST = 120_000
const TRIES = 3
/** How long a poll waits for what is over to be settled. */
const PATIENCE = 5000

export interface DeskSettings {
  readonly maxJobs: number
  /** In milliseconds. */
  readonly timeout: number
  readonly credential: 'proxy' | 'token'
}

export class Desk {
  readonly jobs: Jobs
  readonly #forge: ForgeClient
  readonly #results: Results
  readonly #settings: DeskSettings
  /** To be called when there is something to tell the forge. */
  readonly changed: () => void
  /** When each runner polled last; those of an earlier life count from our start. */
  readonly #runners = new Map<string, number>()
  readonly #started = Date.now()
  readonly #looked = new Map<string, number>()
  readonly #looking = new Set<string>()

  constructor(jobs: Jobs, forge: ForgeClient, results: Results, settings: DeskSettings, changed: () => void) {
    this.jobs = jobs
    this.#forge = forge
    this.#results = results
    this.#settings = settings
    this.changed = changed
  }

  /** A runner asks for work: its job, `busy`, or undefined. */
  async poll(runner: string): Promise<Job | 'busy' | undefined> {
    this.#runners.set(runner, Date.now())
    await Promise.race([this.settle(), sleep(PATIENCE)])
    if (this.jobs.active >= this.#settings.maxJobs) return 'busy'
    const job = this.jobs.take()
    if (!job) return undefined
    try {
      const known = await this.#results.known(job)
      this.jobs.assign(job, runner, known, this.#settings.credential === 'token')
      this.#looked.set(job.id, Date.now())
      this.changed()
      return job
    } catch (error) {
      warn('assign the job of', `${job.owner}/${job.repo}`, error)
      return undefined
    } finally {
      this.jobs.release(job)
    }
  }

  /** Ends and queues again what is to be; also by the server's own timer. */
  async settle(): Promise<void> {
    const now = Date.now()
    for (const [runner, time] of this.#runners) if (now - time > 10 * LOST) this.#runners.delete(runner)
    await Promise.all(this.jobs.assigned().map(job => this.#settleOne(job, now)))
    await Promise.all(
      this.jobs
        .all()
        .filter(job => job.token && job.state !== 'assigned')
        .map(job => this.#dropToken(job)),
    )
  }

  /** The name of the token of a job, where there is one. */
  tokenOf = (job: Pick<Job, 'id'>): string => `jci-job-${job.id}`

  async #settleOne(job: Job, now: number): Promise<void> {
    const late = now >= job.assignedAt! + this.#settings.timeout
    if (this.#looking.has(job.id) || (!late && now - (this.#looked.get(job.id) ?? 0) < LOOK)) return
    this.#looking.add(job.id)
    this.#looked.set(job.id, now)
    try {
      const status = await this.#results.look(job).catch((error: unknown) => {
        warn('look for results in', `${job.owner}/${job.repo}`, error)
        return 'unknown' as const
      })
      if (job.state !== 'assigned') return
      if (status === 'ok') this.#end(job, 'success', 'jci: job completed')
      else if (status === 'err') this.#end(job, 'failure', 'jci: job completed')
      else if (late) this.#end(job, 'failure', 'jci: job timed out')
      else if (status === undefined && this.#isLost(job, now) && job.tries <= TRIES) {
        this.jobs.requeue(job)
        this.changed()
      }
    } finally {
      this.#looking.delete(job.id)
    }
  }

  #isLost({ runner, assignedAt }: Job, now: number): boolean {
    return now - Math.max(this.#runners.get(runner ?? '') ?? this.#started, assignedAt!) > LOST
  }

  #end(job: Job, state: 'success' | 'failure', description: string): void {
    this.jobs.end(job, state, description)
    this.#results.forget(job)
    this.#looked.delete(job.id)
    this.changed()
  }

  async #dropToken(job: Job): Promise<void> {
    try {
      await this.#forge.deleteToken(this.tokenOf(job))
      this.jobs.change(job, { token: false })
    } catch (error) {
      warn('delete the token', this.tokenOf(job), error)
    }
  }
}
