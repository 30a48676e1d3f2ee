// Reads bodies of requests, of which nobody knows yet who sent them: so many bytes of one, so many of all together, and only
// so long. Bytes count when they are here, so that nobody can keep others out by announcing what he does not send.

import type { IncomingMessage } from 'node:http'

import { formatBytes } from '../base/text.ts'
import { DELIVERY_MAX } from './payload.ts'

/** Most bytes of all that are being read; beyond that, senders are asked to come again. */
const ALL_MAX = 8 * DELIVERY_MAX

/** How long a body may take, in milliseconds: forges wait for 10 s, and for 30 s at most. */
const BODY_TIMEOUT_MS = 30_000

/**
 * A body is copied into blocks of so many bytes as it comes. A piece of it may be a single byte, and as an object of its own
 * that would take three hundred.
 */
const BLOCK_BYTES = 16 * 1024

/** A body that was not read, and what its sender is told. */
export class Unread extends Error {
  readonly status: number
  readonly headers: Record<string, string>

  constructor(status: number, message: string, headers: Record<string, string> = {}) {
    super(message)
    this.status = status
    this.headers = headers
  }
}

export class BodyReader {
  /** In milliseconds. */
  readonly #patience: number
  /** In bytes. */
  readonly #most: number
  #reading = 0

  constructor(patience = BODY_TIMEOUT_MS, most = ALL_MAX) {
    this.#patience = patience
    this.#most = most
  }

  /** Reads a body of at most `max` bytes to its end. Throws Unread; then what else comes is not kept. */
  async read(request: IncomingMessage, max = DELIVERY_MAX): Promise<Buffer> {
    if (Number(request.headers['content-length'] ?? 0) > max) throw tooLarge(max)
    const blocks: Buffer[] = []
    let size = 0
    const keep = (chunk: Buffer) => {
      for (let from = 0; from < chunk.length;) {
        const at = size % BLOCK_BYTES
        if (at === 0) blocks.push(Buffer.allocUnsafe(BLOCK_BYTES))
        const copied = chunk.copy(blocks.at(-1)!, at, from)
        from += copied
        size += copied
      }
    }
    let timer: NodeJS.Timeout | undefined
    try {
      await new Promise<void>((done, failed) => {
        timer = setTimeout(() => failed(tooSlow()), this.#patience)
        const cutOff = () => failed(new Unread(400, 'the body was cut off'))
        request.on('data', (chunk: Buffer) => {
          keep(chunk)
          this.#reading += chunk.length
          if (size > max) failed(tooLarge(max))
          else if (this.#reading > this.#most) failed(tooMuch())
        })
        request.on('end', done).on('error', cutOff).on('close', cutOff)
      })
      return Buffer.concat(blocks, size)
    } finally {
      clearTimeout(timer)
      this.#reading -= size
      request.removeAllListeners('data').resume()
    }
  }
}

const tooLarge = (max: number) => new Unread(413, `the body is too large: it may have ${formatBytes(max)}`)
const tooMuch = () => new Unread(503, 'too much comes at once; send it again', { 'Retry-After': '10' })
const tooSlow = () => new Unread(408, 'the body takes too long', { Connection: 'close' })
