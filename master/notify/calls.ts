// When a forge was told something of a channel: its limits count hours, and a notifier may not live for one.

import { join } from 'node:path'

import { readIfThere, replaceFile } from '../../lib/system/durable.ts'

export class Calls {
  readonly #path: string
  readonly #span: number
  /** In milliseconds since 1970. */
  #times: number[]

  /** Calls are kept in `directory` for `span` milliseconds. */
  constructor(directory: string, span: number) {
    this.#path = join(directory, 'calls')
    this.#span = span
    this.#times = (readIfThere(this.#path) ?? '').split('\n').filter(isTime).map(Number)
  }

  /** How long ago each was, in milliseconds; one after the clock was set back counts for now. */
  ages(now = Date.now()): number[] {
    return this.#times.map(time => Math.max(0, now - time)).filter(age => age < this.#span)
  }

  /** There is a call: noted before it is made. */
  note(now = Date.now()): void {
    this.#times = [...this.#times.filter(time => Math.abs(now - time) < this.#span), now]
    replaceFile(this.#path, this.#times.join('\n') + '\n')
  }
}

const isTime = (line: string): boolean => /^\d{1,15}$/.test(line)
