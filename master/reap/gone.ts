// Judges whether the owner of a job is gone, by one observer's own clock: no clock is compared with another
// host's. A heartbeat is read by opening the file and asking the open file, which no NFS client answers from
// its cache.

import { closeSync, constants, fstatSync, openSync } from 'node:fs'

import { tolerating } from '../../lib/base/errno.ts'

/**
 * The current state of a heartbeat file; only its changes matter. Undefined if it cannot be read, which
 * proves nothing.
 */
export function readBeat(file: string): string | undefined {
  return tolerating(['ENOENT', 'ESTALE'], () => {
    // NONBLOCK: no FIFO of that name holds us up.
    const fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      const { mtimeNs, ctimeNs } = fstatSync(fd, { bigint: true })
      return `${mtimeNs} ${ctimeNs}`
    } finally {
      closeSync(fd)
    }
  })
}

/** Remembers heartbeats. Times are of a monotonic clock, in milliseconds. Pure. */
export class Heartbeats {
  readonly #lostAfter: number
  readonly #interval: number
  readonly #seen = new Map<string, { beat: string; since: number }>()
  #lastSign: number | undefined
  #notBefore = -Infinity

  /** `interval` is how often a look is meant to begin; `lostAfter` is longer. */
  constructor(lostAfter: number, interval: number) {
    this.#lostAfter = lostAfter
    this.#interval = interval
  }

  /**
   * To be called as a look goes on, at least once each `interval`. An observer that was itself held up (a stopped
   * process, a file server that hung) has seen nothing for a while, and the owners may have been held up as well: it
   * waits `lostAfter` and twice as long as it was held up.
   */
  goOn(now: number): void {
    const heldUp = now - (this.#lastSign ?? now) - this.#interval
    if (heldUp > this.#lostAfter / 10) {
      this.#notBefore = Math.max(this.#notBefore, now + this.#lostAfter + 2 * heldUp)
    }
    this.#lastSign = now
  }

  /** True if the heartbeat of `name`, read just before `now`, has been seen not to change for long enough. */
  isGone(name: string, beat: string | undefined, now: number): boolean {
    this.goOn(now)
    if (beat === undefined) return false
    const seen = this.#seen.get(name)
    if (seen?.beat !== beat) {
      this.#seen.set(name, { beat, since: now })
      return false
    }
    return now - seen.since >= this.#lostAfter && now >= this.#notBefore
  }

  /** True if the heartbeat of `name` has been seen not to change for half of `lostAfter`. */
  isLate(name: string, now: number): boolean {
    return now - (this.#seen.get(name)?.since ?? now) >= this.#lostAfter / 2
  }

  /** Forgets all but these. */
  keep(names: ReadonlySet<string>): void {
    for (const name of this.#seen.keys()) if (!names.has(name)) this.#seen.delete(name)
  }
}
