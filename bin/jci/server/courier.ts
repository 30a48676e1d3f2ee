// Tells the forge how jobs are: for each job in order, one at a time, until the forge has it, over restarts.

import { setTimeout as sleep } from 'node:timers/promises'

import { warn } from '../../../lib/system/log.ts'
import { ForgeRefusal } from './forge.ts'
import type { ForgeClient } from './forge.ts'
import type { Job, Jobs } from './jobs.ts'

const STATUS_WAIT_MS = 1000
const STATUS_WAIT_MAX_MS = 60_000
/** How long a refusal that looks lasting is tried again, in milliseconds: a repository may be moved or mended. */
const GIVE_UP = 24 * 3_600_000

export class StatusCourier {
  readonly #jobs: Jobs
  readonly #forge: ForgeClient
  readonly #busy = new Set<string>()
  readonly #stop: AbortSignal

  constructor(jobs: Jobs, forge: ForgeClient, stop: AbortSignal) {
    this.#jobs = jobs
    this.#forge = forge
    this.#stop = stop
  }

  /** Sends what is to be sent. */
  wake(): void {
    for (const job of this.#jobs.all()) {
      if (job.told.length === 0 || this.#busy.has(job.id)) continue
      this.#busy.add(job.id)
      void this.#serve(job).finally(() => this.#busy.delete(job.id))
    }
  }

  #isStopped(): boolean {
    return this.#stop.aborted
  }

  async #serve(job: Job): Promise<void> {
    let wait = STATUS_WAIT_MS
    while (job.told.length > 0 && !this.#isStopped()) {
      try {
        await this.#sendFirst(job)
        wait = STATUS_WAIT_MS
      } catch (error) {
        if (this.#isStopped()) return
        warn('tell the forge of', `${job.owner}/${job.repo} ${job.commit}`, error)
        const later = error instanceof ForgeRefusal ? error.later : 0
        await sleep(Math.max(wait, later), undefined, { signal: this.#stop }).catch(() => undefined)
        wait = Math.min(2 * wait, STATUS_WAIT_MAX_MS)
      }
    }
  }

  async #sendFirst(job: Job): Promise<void> {
    const first = job.told[0]!
    // A status that may have been sent before a crash, or got no answer, is asked for before it is sent again.
    if (!(job.sending && (await this.#forge.hasBeenTold(job, first)))) {
      this.#jobs.change(job, { sending: true })
      try {
        await this.#forge.tell(job, first)
      } catch (error) {
        const lasting = error instanceof ForgeRefusal && [400, 404, 422].includes(error.status)
        if (!lasting || Date.now() - job.received < GIVE_UP) throw error
        warn('ever tell the forge of', `${job.owner}/${job.repo} ${job.commit}`, error)
      }
    }
    this.#jobs.change(job, { told: job.told.slice(1), sending: false })
  }
}
