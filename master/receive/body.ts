// Reads bodies of requests, of which nobody knows yet who sent them: so many bytes of one, so many of all together, and only
// so long. Bytes count when they are here, so that nobody can keep others out by announcing what he does not send.

import type { IncomingMessage } from 'node:http'

import { DELIVERY_MAX } from '../../lib/forge/payload.ts'

/** Most bytes of all that are being read; beyond that, senders are asked to come again. */
const READING_MAX = 8 * DELIVERY_MAX

/** How long a body may take, in milliseconds: forges wait for 10 s, and for 30 s at most. */
const BODY_TIMEOUT_MS = 30_000

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

export class Reader {
  readonly #patience: number
  readonly #most: number
  #reading = 0

  constructor(patience = BODY_TIMEOUT_MS, most = READING_MAX) {
    this.#patience = patience
    this.#most = most
  }

  /** Reads a body to its end. Throws Unread; then what else comes is not kept. */
  async read(request: IncomingMessage): Promise<Buffer> {
    if (Number(request.headers['content-length'] ?? 0) > DELIVERY_MAX) throw tooLarge()
    const chunks: Buffer[] = []
    let size = 0
    let timer: NodeJS.Timeout | undefined
    try {
      await new Promise<void>((done, failed) => {
        timer = setTimeout(() => failed(tooSlow()), this.#patience)
        const cutOff = () => failed(new Unread(400, 'its body was cut off'))
        request.on('data', (chunk: Buffer) => {
          size += chunk.length
          this.#reading += chunk.length
          chunks.push(chunk)
          if (size > DELIVERY_MAX) failed(tooLarge())
          else if (this.#reading > this.#most) failed(tooMuch())
        })
        request.on('end', done).on('error', cutOff).on('close', cutOff)
      })
      return Buffer.concat(chunks, size)
    } finally {
      clearTimeout(timer)
      this.#reading -= size
      request.removeAllListeners('data').resume()
    }
  }
}

const tooLarge = () => new Unread(413, 'a delivery has 25 MB at most')
const tooMuch = () => new Unread(503, 'too many deliveries at once', { 'Retry-After': '10' })
const tooSlow = () => new Unread(408, 'it takes too long', { Connection: 'close' })
