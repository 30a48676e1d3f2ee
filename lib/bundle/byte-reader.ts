// A stream of chunks, read by count: what a parser of blocks wants. Holds one chunk, and refuses to read on for ever.

import { BundleError } from './bundle-error.ts'

export class ByteReader {
  /** How many bytes were taken. */
  taken = 0
  readonly #source: AsyncIterator<Buffer, unknown>
  readonly #max: number
  #arrived = 0
  #chunk: Buffer = Buffer.alloc(0)

  /** `max` is how many bytes may come out of `source`, whether they are taken or not. */
  constructor(source: AsyncIterator<Buffer, unknown>, max: number) {
    this.#source = source
    this.#max = max
  }

  /** The next bytes, as they come: at most `count`, none only at the end. */
  async some(count: number): Promise<Buffer> {
    if (this.#chunk.length === 0) await this.#refill()
    return this.#cut(count)
  }

  /** Exactly `count` bytes, fewer only at the end. */
  async exactly(count: number): Promise<Buffer> {
    while (this.#chunk.length < count) if (!(await this.#refill())) break
    return this.#cut(count)
  }

  /** Passes over `count` bytes; false if there were fewer. */
  async skip(count: number): Promise<boolean> {
    for (let left = count; left > 0;) {
      const { length } = await this.some(left)
      if (length === 0) return false
      left -= length
    }
    return true
  }

  #cut(count: number): Buffer {
    const bytes = this.#chunk.subarray(0, count)
    this.#chunk = this.#chunk.subarray(count)
    this.taken += bytes.length
    return bytes
  }

  async #refill(): Promise<boolean> {
    const next = await this.#source.next()
    if (next.done) return false
    this.#arrived += next.value.length
    if (this.#arrived > this.#max)
      throw new BundleError(`more than the ${this.#max} bytes that BUNDLE_MAX allows`)
    this.#chunk = this.#chunk.length === 0 ? next.value : Buffer.concat([this.#chunk, next.value])
    return true
  }
}
