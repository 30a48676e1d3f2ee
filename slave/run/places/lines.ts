// The lines that a helper of ours says, each for whoever waits for its first word. Only who waits keeps a program from
// ending.

import type { Readable } from 'node:stream'

type Words = readonly [string, ...string[]]

/** A handle that keeps a program from ending, or does not. */
export interface Hold {
  ref(): void
  unref(): void
}

export class Lines {
  readonly #holds: readonly Hold[]
  readonly #waits = new Map<(words: Words) => void, readonly string[]>()
  #rest = ''

  constructor(from: Readable & Hold, helper: Hold) {
    this.#holds = [from, helper]
    this.#letGo()
    from.setEncoding('latin1').on('data', (text: string) => {
      const lines = (this.#rest + text).split('\n')
      this.#rest = lines.pop()!
      for (const line of lines) this.#hear(line.split(' ') as [string, ...string[]])
    })
  }

  /** The words of the next line that begins with one of these; it never comes where the helper has ended. */
  next(...first: readonly string[]): Promise<Words> {
    for (const hold of this.#holds) hold.ref()
    return new Promise(heard => this.#waits.set(heard, first))
  }

  #hear(words: Words): void {
    for (const [heard, first] of this.#waits) {
      if (!first.includes(words[0])) continue
      this.#waits.delete(heard)
      heard(words)
    }
    if (this.#waits.size === 0) this.#letGo()
  }

  #letGo(): void {
    for (const hold of this.#holds) hold.unref()
  }
}
