// How long nothing was heard. Time in which nothing could have been heard does not count: while the log could not be
// written, and while this process itself was stopped or held up.

export class Silence {
  readonly #limit: number
  readonly #able: () => boolean
  readonly #expired: () => void
  readonly #tick: number
  readonly #timer: NodeJS.Timeout | undefined
  #silent = 0
  #seen = performance.now()

  /**
   * Calls `expired`, once, after `limit` milliseconds of silence; `Infinity` never ends. `able` says whether anything
   * could be heard now.
   */
  constructor(limit: number, able: () => boolean, expired: () => void) {
    this.#limit = limit
    this.#able = able
    this.#expired = expired
    this.#tick = Math.min(1000, Math.max(10, limit / 10))
    if (limit !== Infinity) this.#timer = setInterval(() => this.#count(), this.#tick)
  }

  /** Something was heard. */
  heard(): void {
    this.#silent = 0
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #count(): void {
    const now = performance.now()
    // A tick that comes very late means that we were stopped: of that time only as much counts as a tick may take.
    if (this.#able()) this.#silent += Math.min(now - this.#seen, 2 * this.#tick)
    this.#seen = now
    if (this.#silent < this.#limit) return
    // Timers run before pipes are read: what was written meanwhile is heard in this turn of the event loop.
    setImmediate(() => {
      if (this.#silent < this.#limit || !this.#able()) return
      this.stop()
      this.#expired()
    })
  }
}
