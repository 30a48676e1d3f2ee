// The input that a client gives a command elsewhere: what was not taken yet is kept, for a connection that is lost.

import { INPUT_AHEAD, PIECE } from './protocol.ts'
import type { ClientMessage } from './protocol.ts'

export class KeptInput {
  #kept: { readonly offset: number; readonly data: Buffer }[] = []
  #given = 0
  #taken = 0
  #ended = false
  #over = false
  #waiting: (() => void)[] = []
  readonly #send: (message: ClientMessage) => void

  constructor(send: (message: ClientMessage) => void) {
    this.#send = send
  }

  get #isRoomy(): boolean {
    return this.#over || this.#given - this.#taken < INPUT_AHEAD
  }

  /** Sends more; false if there is enough of it for now. */
  give(data: Buffer): boolean {
    for (let at = 0; at < data.length && !this.#over; at += PIECE) {
      const piece = { offset: this.#given, data: data.subarray(at, at + PIECE) }
      this.#kept.push(piece)
      this.#given += piece.data.length
      this.#send({ input: { ...piece, end: false } })
    }
    return this.#isRoomy
  }

  end(): void {
    this.#ended = true
    this.#send({ input: { offset: this.#given, data: Buffer.alloc(0), end: true } })
  }

  /** Resolves when there is room for more, or nobody who wants it. */
  async drained(): Promise<void> {
    while (!this.#isRoomy) await new Promise<void>(done => this.#waiting.push(done))
  }

  /** The command has taken so many bytes. */
  taken(bytes: number): void {
    this.#taken = Math.min(Math.max(this.#taken, bytes), this.#given)
    this.#kept = this.#kept.filter(({ offset, data }) => offset + data.length > this.#taken)
    for (const wake of this.#waiting.splice(0)) wake()
  }

  /** Sends again what was not taken, for it may not have arrived. */
  again(): void {
    for (const piece of this.#kept) this.#send({ input: { ...piece, end: false } })
    if (this.#ended) this.end()
  }

  /** The command has ended. */
  close(): void {
    this.#over = true
    this.taken(this.#given)
  }
}
