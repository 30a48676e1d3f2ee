// Wakes a loop that works whenever something may have changed, and now and then without that.

export class Bell {
  #rung = false
  #wake: (() => void) | undefined

  /** Wakes who waits, or does not let the next one wait. Returns false if it was rung already. */
  ring(): boolean {
    const first = !this.#rung
    this.#rung = true
    this.#wake?.()
    return first
  }

  /** Resolves when it has been rung since the last time, after `most` milliseconds at the latest. For one at a time. */
  async next(most: number): Promise<void> {
    if (!this.#rung) {
      await new Promise<void>(done => {
        const timer = setTimeout(done, most)
        this.#wake = () => {
          clearTimeout(timer)
          done()
        }
      })
      this.#wake = undefined
    }
    this.#rung = false
  }
}
