// S2, the framed and faster kin of Snappy: reads what any of its writers make, and writes what they all read. The format
// is that of github.com/klauspost/compress/s2; Snappy's framing is the same but for blocks of at most 64 KiB.
//
// A stream is chunks: a type, three bytes of length, a body. A chunk of data begins with the masked CRC-32C of its content.

import { BundleError } from './bundle-error.ts'
import { crc32c, masked } from './crc32c.ts'
import { decodeBlock, encodeBlock, encodedLength } from './s2-block.ts'

/** How every stream of S2 begins, and one of Snappy. */
const IDENTIFIER = Buffer.from('\xff\x06\0\0S2sTwO', 'latin1')
const SNAPPY = Buffer.from('\xff\x06\0\0sNaPpY', 'latin1')

/** The types of chunks that say something. Those from 0x80 are passed over: padding, an index, what is still to come. */
const [COMPRESSED, PLAIN, SKIPPABLE, STREAM] = [0x00, 0x01, 0x80, 0xff]

/** Most bytes that the content of a chunk can have, and that we put into one. */
const CONTENT_MAX = 4 << 20
const S2_BLOCK_BYTES = 1 << 20

/** True if a file that begins with these bytes is a stream of S2 or Snappy. Pure. */
export const isS2 = (start: Buffer): boolean =>
  [IDENTIFIER, SNAPPY].some(id => start.subarray(0, id.length).equals(id))

/** Decompresses a stream. Throws BundleError if it is malformed. Memory stays flat. */
export async function* readS2(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void> {
  const chunks = new Chunks(source)
  for (let first = true; ; first = false) {
    const header = await chunks.take(4)
    if (header.length === 0 && !first) return
    if (header.length < 4) throw damaged('it ends in the middle of a chunk')
    const type = header[0]!
    if (first && type !== STREAM) throw damaged('it does not begin as a stream')
    const length = header.readUIntLE(1, 3)
    if (type > PLAIN && type < SKIPPABLE) throw damaged(`a chunk of the unknown type ${type}`)
    if (type >= SKIPPABLE && type !== STREAM) {
      if (!(await chunks.skip(length))) throw damaged('it ends in the middle of a chunk')
      continue
    }
    const body = await chunks.take(length)
    if (body.length < length) throw damaged('it ends in the middle of a chunk')
    if (type === STREAM) checkIdentifier(body)
    else yield blockContent(type, body)
  }
}

function checkIdentifier(body: Buffer): void {
  if (!['S2sTwO', 'sNaPpY'].includes(body.toString('latin1'))) throw damaged('it is of an unknown kind')
}

function blockContent(type: number, body: Buffer): Buffer {
  if (body.length < 4) throw damaged('a chunk without a checksum')
  const data = body.subarray(4)
  if (type === PLAIN && data.length > CONTENT_MAX) throw damaged('a chunk that is too long')
  const content = type === PLAIN ? data : decodeBlock(data, CONTENT_MAX)
  if (!content) throw damaged('a block that cannot be read')
  if (masked(crc32c(content)) !== body.readUInt32LE()) throw damaged('a checksum is wrong')
  return content
}

const damaged = (why: string) => new BundleError(`damaged: S2: ${why}`)

/** Compresses a stream. What does not get smaller by an eighth stays as it is. */
export async function* writeS2(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void> {
  yield IDENTIFIER
  let gathered: Buffer[] = []
  let size = 0
  for await (const bytes of source) {
    for (let at = 0; at < bytes.length;) {
      const part = bytes.subarray(at, at + S2_BLOCK_BYTES - size)
      gathered.push(part)
      size += part.length
      at += part.length
      if (size < S2_BLOCK_BYTES) continue
      yield chunkOf(Buffer.concat(gathered))
      gathered = []
      size = 0
    }
  }
  if (size > 0) yield chunkOf(Buffer.concat(gathered))
}

function chunkOf(content: Buffer): Buffer {
  const chunk = Buffer.allocUnsafe(8 + encodedLength(content.length))
  const end = encodeBlock(content, chunk, 8)
  const smaller = end - 8 < content.length - (content.length >> 3)
  if (!smaller) content.copy(chunk, 8)
  const length = smaller ? end - 8 : content.length
  chunk[0] = smaller ? COMPRESSED : PLAIN
  chunk.writeUIntLE(length + 4, 1, 3)
  chunk.writeUInt32LE(masked(crc32c(content)), 4)
  return chunk.subarray(0, 8 + length)
}

/** The bytes of a stream by count. */
class Chunks {
  readonly #source: AsyncIterator<Buffer>
  #rest: Buffer = Buffer.alloc(0)

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]()
  }

  /** Exactly `count` bytes, fewer only at the end. */
  async take(count: number): Promise<Buffer> {
    const parts: Buffer[] = []
    for (let left = count; left > 0;) {
      if (this.#rest.length === 0 && !(await this.#refill())) break
      const part = this.#rest.subarray(0, left)
      this.#rest = this.#rest.subarray(part.length)
      parts.push(part)
      left -= part.length
    }
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts)
  }

  /** Passes over bytes; false if there were fewer. */
  async skip(count: number): Promise<boolean> {
    for (let left = count; left > 0;) {
      if (this.#rest.length === 0 && !(await this.#refill())) return false
      const { length } = this.#rest.subarray(0, left)
      this.#rest = this.#rest.subarray(length)
      left -= length
    }
    return true
  }

  async #refill(): Promise<boolean> {
    for (;;) {
      const next = await this.#source.next()
      if (next.done) return false
      this.#rest = next.value
      if (this.#rest.length > 0) return true
    }
  }
}
