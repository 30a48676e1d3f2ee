// Tasks that could not be taken: each is left to rest for a while, longer each time, and those behind it are tried. Without
// that the first that cannot be taken would be the first again in the next listing.

/** The longest rest is so many times the first. */
const REST_FACTOR_MAX = 64

export class OddTasks {
  readonly #first: number
  readonly #rests = new Map<string, { times: number; until: number }>()

  /** `first`: how long a task rests that failed for the first time, in milliseconds. */
  constructor(first: number) {
    this.#first = first
  }

  /** Forgets all tasks but these. */
  keep(names: ReadonlySet<string>): void {
    for (const name of this.#rests.keys()) if (!names.has(name)) this.#rests.delete(name)
  }

  rests(name: string, now: number): boolean {
    return now < (this.#rests.get(name)?.until ?? -Infinity)
  }

  /** Notes that a task could not be taken; returns for how many milliseconds it rests. */
  failed(name: string, now: number): number {
    const times = this.#rests.get(name)?.times ?? 0
    const rest = this.#first * Math.min(2 ** times, REST_FACTOR_MAX)
    this.#rests.set(name, { times: times + 1, until: now + rest })
    return rest
  }

  /** Notes that a task was taken. */
  worked(name: string): void {
    this.#rests.delete(name)
  }
}
