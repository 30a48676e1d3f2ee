// The bodies of requests. Whoever sends one is known only when all of it is there: so each is bounded in size and time, and
// all of them together in memory.

import type { IncomingMessage } from 'node:http'

/** Why a body was not read: the status and the words of the answer. */
export type NoBody = readonly [status: 413 | 503, why: string]

export class Bodies {
  /** In bytes. */
  readonly #most: number
  /** In milliseconds. */
  readonly #patience: number
  #held = 0

  /** At most `most` bytes are held at once; a body that takes longer than `patience` milliseconds is cut off. */
  constructor(most: number, patience: number) {
    this.#most = most
    this.#patience = patience
  }

  /** The body of a request, of at most `max` bytes; or why no more of it is read. Throws if it was cut off. */
  async read(request: IncomingMessage, max: number): Promise<Buffer | NoBody> {
    if (Number(request.headers['content-length'] ?? 0) > max) return TOO_LARGE
    const late = setTimeout(() => request.destroy(new Error('its body took too long')), this.#patience)
    const chunks: Buffer[] = []
    let size = 0
    try {
      // An answer is to reach the sender.
      const unharmed = { destroyOnReturn: false }
      for await (const chunk of request.iterator(unharmed) as AsyncIterable<Buffer>) {
        size += chunk.length
        this.#held += chunk.length
        if (size > max) return TOO_LARGE
        if (this.#held > this.#most) return [503, 'too much comes at once; send it again']
        chunks.push(chunk)
      }
      return Buffer.concat(chunks)
    } finally {
      clearTimeout(late)
      this.#held -= size
    }
  }
}

const TOO_LARGE: NoBody = [413, 'the body is too large']
