// Delivers the pending notices of one channel, one after the other. If the channel is unreachable, delivery
// resumes after growing pauses with the notice that failed, so that order is kept; a notice that is refused
// is set aside and lets those behind it pass.

import { setTimeout as sleep } from 'node:timers/promises'

import type { Channel, OpenChannel } from './channel.ts'
import { reasonOf } from '../../lib/base/errno.ts'
import { TIMER_MAX_MS } from '../../lib/base/timer.ts'
import { say, warn } from '../../lib/system/log.ts'
import { Later, NotYet, Refused } from './deliver.ts'
import type { Notice } from './notice.ts'
import { Records } from './records.ts'
import type { Key } from './records.ts'

/** The first pause and the longest, in milliseconds. */
const RETRY_PAUSE_MS = { first: 1000, last: 300_000 }

/** Milliseconds to wait after so many failures in a row. Pure. */
export const pauseAfter = (failures: number): number =>
  Math.min(RETRY_PAUSE_MS.last, RETRY_PAUSE_MS.first * 2 ** Math.min(failures - 1, 20))

const nameOf = ({ num, stage }: Key) => `${num}.${stage}`

export class Courier {
  readonly channel: Channel
  readonly records: Records
  readonly #opened: OpenChannel
  /** Failures in a row: of the channel, and of the notices it refused, with the time of the next try. */
  #failures = 0
  /** How long the channel wants to be left alone after the last of them. */
  #after = 0
  readonly #refused = new Map<string, { failures: number; due: number }>()
  /** Delivered or given up, but not recorded: they must not be delivered again in this process. */
  readonly #told = new Set<string>()
  #bell = new AbortController()

  constructor(channel: Channel, records: Records, opened: OpenChannel) {
    this.channel = channel
    this.records = records
    this.#opened = opened
  }

  /** Wakes the courier: there is a new notice, or it has to stop. */
  ring(): void {
    this.#bell.abort()
  }

  /** As `Records.tidy`, and what the channel keeps besides. */
  tidy(isThere: (num: number) => boolean): Key[] {
    this.#opened.tidy?.(isThere)
    return this.records.tidy(isThere)
  }

  /** Tells what there is until `stop`. A notice that is on its way is brought to its end first. */
  async run(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      try {
        await this.#goOn(stop)
      } catch (error) {
        // The spool is away: say so, and look again soon.
        warn('look through', this.#who(), error)
        await this.#rest(RETRY_PAUSE_MS.first * 10, stop)
      }
    }
  }

  /** Tells what there is to be told, or rests until there is. */
  async #goOn(stop: AbortSignal): Promise<void> {
    this.#bell = new AbortController()
    const now = performance.now()
    const inOrder = this.records.pending()
    const pending = this.#opened.order?.(inOrder) ?? inOrder
    const next = pending.find(key => (this.#refused.get(nameOf(key))?.due ?? 0) <= now)
    if (!next) {
      const due = Math.min(...pending.map(key => this.#refused.get(nameOf(key))?.due ?? Infinity))
      await this.#rest(due - now, AbortSignal.any([stop, this.#bell.signal]))
    } else if (!(await this.#tell(next))) {
      // A bell in between is no reason to try earlier.
      await this.#rest(Math.max(pauseAfter(this.#failures), this.#after), stop)
    }
  }

  /** False if the channel could not be reached. */
  async #tell(key: Key): Promise<boolean> {
    const name = nameOf(key)
    try {
      if (!this.#told.has(name)) {
        const body = this.records.read(key)
        if (body === undefined) return true
        await this.#opened.deliver(JSON.parse(body) as Notice, body)
      }
      this.#told.add(name)
      this.records.done(key)
      this.#told.delete(name)
      this.#refused.delete(name)
      if (this.#failures > 0) say('info', `${this.#who()} is reached again`)
      this.#failures = 0
      return true
    } catch (error) {
      if (error instanceof NotYet) {
        this.#refused.set(name, { failures: 0, due: performance.now() + error.after })
        return true
      }
      if (error instanceof Refused) {
        const failures = (this.#refused.get(name)?.failures ?? 0) + 1
        if (error.lasting || failures === this.#opened.tries) return this.#giveUp(key, error)
        this.#refused.set(name, { failures, due: performance.now() + pauseAfter(failures) })
        if (failures === 1) warn('tell', `${this.#who()} ${name}`, error)
        return true
      }
      this.#after = error instanceof Later ? error.after : 0
      if (this.#failures++ === 0) warn('tell', `${this.#who()} ${name}`, reasonOf(error))
      return false
    }
  }

  /** Reports a delivery that is refused for good, and forgets it. */
  #giveUp(key: Key, why: Refused): boolean {
    warn('tell', `${this.#who()} ${nameOf(key)}`, `${why.message}; it is not tried again`)
    this.#told.add(nameOf(key))
    this.#refused.delete(nameOf(key))
    return true
  }

  #who(): string {
    return `${this.channel.project}/${this.channel.name}`
  }

  async #rest(milliseconds: number, until: AbortSignal): Promise<void> {
    await sleep(Math.min(milliseconds, TIMER_MAX_MS), undefined, { signal: until }).catch(() => undefined)
  }
}
