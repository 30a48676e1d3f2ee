// The runners that poll: when each was heard of last, and which jobs it said then that it has. It is no more than memory:
// those of an earlier life of the server count from its start. Silence is measured on this process's own clock, which nobody sets.

import type { Job } from './jobs.ts'

interface Heard {
  readonly at: number
  /** Undefined for a runner that does not say which jobs it has. */
  readonly has: Set<string> | undefined
}

/** A runner that was silent for so many times as long as one that is lost is forgotten. */
const FORGOTTEN = 10

export class Runners {
  readonly #heard = new Map<string, Heard>()
  readonly #started = performance.now()
  /** In milliseconds. */
  readonly #lost: number

  constructor(lost: number) {
    this.#lost = lost
  }

  heard(runner: string, has: readonly string[] | undefined): void {
    const now = performance.now()
    for (const [name, { at }] of this.#heard) if (now - at > FORGOTTEN * this.#lost) this.#heard.delete(name)
    this.#heard.set(runner, { at: now, has: has && new Set(has) })
  }

  /** A runner was given a job: until it polls again it has that. */
  given(runner: string, job: string): void {
    this.#heard.get(runner)?.has?.add(job)
  }

  /** True if the runner of a job was silent for so long that it is gone. */
  isLost({ runner }: Job): boolean {
    return performance.now() - (this.#heard.get(runner ?? '')?.at ?? this.#started) > this.#lost
  }

  /** True if its runner was heard of not long ago, and has said then that it has this job. */
  isWith(job: Job): boolean {
    return !this.isLost(job) && this.#heard.get(job.runner ?? '')?.has?.has(job.id) === true
  }

  /** True if its runner has asked for another job since and said that it does not have this one: nothing of it runs. */
  isWithout({ id, runner }: Job): boolean {
    const has = this.#heard.get(runner ?? '')?.has
    return has !== undefined && !has.has(id)
  }
}
