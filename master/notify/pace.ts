// How often a forge may be told something: fewer times in a span than it takes. Pure but for the times it keeps.

export interface Limit {
  /** Most calls within `span` milliseconds; those that can wait get no more than `patient` of them. */
  readonly most: number
  readonly patient: number
  readonly span: number
}

export class Pace {
  readonly #limits: readonly Limit[]
  #times: number[] = []
  #heldUntil = 0

  constructor(limits: readonly Limit[]) {
    this.#limits = limits
  }

  /** Milliseconds until there may be another call; 0 for now. `patient`: what can wait leaves room for what cannot. */
  wait(now: number, patient: boolean): number {
    const waits = this.#limits.map(limit => {
      const most = patient ? limit.patient : limit.most
      const oldest = this.#times.at(-most)
      return oldest === undefined ? 0 : Math.max(0, oldest + limit.span - now)
    })
    return Math.max(0, this.#heldUntil - now, ...waits)
  }

  /** There were calls so many milliseconds ago, which somebody else made. */
  remember(now: number, ages: readonly number[]): void {
    this.#times = [...this.#times, ...ages.map(age => now - age)].sort((a, b) => a - b)
  }

  /** The forge wants to be left alone for so many milliseconds. */
  hold(now: number, after: number): void {
    this.#heldUntil = Math.max(this.#heldUntil, now + after)
  }

  /** There was a call. */
  note(now: number): void {
    const longest = Math.max(...this.#limits.map(({ span }) => span))
    this.#times = [...this.#times.filter(time => time > now - longest), now]
  }
}
