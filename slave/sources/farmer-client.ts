// A worker's side of the protocol of `lib/farm/protocol.ts`. Without `fetch`: with it a worker had 88 MB at its most, and has 55.

import { open } from 'node:fs/promises'
import * as http from 'node:http'
import * as https from 'node:https'
import { text } from 'node:stream/consumers'
import { finished, pipeline } from 'node:stream/promises'

import { EXIT, Fatal, quote, temporary } from '../../lib/base/exit.ts'
import { ALIVE } from '../../lib/farm/protocol.ts'

/** The farmer says that what we speak of does not stand any more. */
export class Gone extends Error {}

/** The farmer, or its store, does not take what we say, and would not take it a second time. */
export class NotTaken extends Fatal {
  readonly why: string

  constructor(attempt: string, why: string) {
    super(EXIT.lasting, attempt, why)
    this.why = why
  }
}

/** How long an answer may take that is given at once, in milliseconds. */
const REPLY_TIMEOUT_MS = 10 * ALIVE

/** How long nothing may move while a file is stored, in milliseconds. */
const STORE_TIMEOUT_MS = 60_000

/**
 * What says nothing of a file: that an address is too old, a key or a bucket not there just now, that another writes the same,
 * and that we are too slow or too fast.
 */
const MAY_PASS: readonly number[] = [401, 403, 404, 408, 409, 425, 429]

export class FarmerClient {
  readonly origin: string
  readonly #secret: string | undefined

  constructor(origin: string, secret: string | undefined) {
    this.origin = origin.replace(/\/+$/, '')
    this.#secret = secret
  }

  /**
   * The answer; undefined where there is none yet (204). Throws Gone for 410, NotTaken for what the farmer calls wrong or too
   * large, and any other failure as it is.
   */
  async ask<T>(
    method: 'GET' | 'POST' | 'DELETE',
    path: string,
    body?: unknown,
    signal: AbortSignal = AbortSignal.timeout(REPLY_TIMEOUT_MS),
  ): Promise<T | undefined> {
    const answer = await this.#send(
      method,
      path,
      signal,
      body === undefined ? undefined : JSON.stringify(body),
    )
    return answer.status === 204 ? undefined : (JSON.parse(answer.body) as T)
  }

  /** Sends output from a place on, and returns where the farmer has it to. */
  async output(path: string, bytes: Buffer): Promise<number> {
    const answer = await this.#send('PUT', path, AbortSignal.timeout(REPLY_TIMEOUT_MS), bytes, [409])
    return (JSON.parse(answer.body) as { at: number }).at
  }

  async #send(
    method: string,
    path: string,
    signal: AbortSignal,
    body?: string | Buffer,
    well: readonly number[] = [],
  ): Promise<Answer> {
    const headers = {
      ...(this.#secret === undefined ? {} : { Authorization: `Bearer ${this.#secret}` }),
      ...(typeof body === 'string' ? { 'Content-Type': 'application/json' } : {}),
      ...(body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) }),
    }
    const answer = await request(this.origin + path, { method, headers, signal }, body)
    const { status } = answer
    if ((status >= 200 && status <= 299) || well.includes(status)) return answer
    if (status === 410) throw new Gone('the farmer has given it up')
    const attempt = `ask the farmer for ${quote(`${method} ${path.split('?')[0]!}`)}`
    const said = `${status}: ${whyOf(answer)}`
    throw [400, 413].includes(status) ? new NotTaken(attempt, said) : temporary(attempt, said)
  }
}

interface Answer {
  readonly status: number
  /** The server's words for the status. */
  readonly reason: string
  /** Where it leads, if it is a redirection; nobody follows, for the secret is for this farmer. */
  readonly location: string | undefined
  readonly body: string
}

/** Sends a request and reads all of the answer. Rejects with the reason of `signal` once that is aborted. */
async function request(
  address: string,
  options: http.RequestOptions & { readonly signal: AbortSignal },
  body: string | Buffer | undefined,
): Promise<Answer> {
  try {
    const answer = await new Promise<http.IncomingMessage>((done, failed) => {
      clientFor(address).request(address, options, done).on('error', failed).end(body)
    })
    const { statusCode: status = 0, statusMessage: reason = '', headers } = answer
    return { status, reason, location: headers.location, body: await text(answer) }
  } catch (error) {
    options.signal.throwIfAborted()
    throw error
  }
}

const clientFor = (address: string) => (address.startsWith('https:') ? https : http)

/** The farmer's words; what has none of that kind is something else, or a farmer of another age. */
function whyOf({ status, reason, location, body }: Answer): string {
  const said = /"error":"([^"]*)"/.exec(body)?.[1]
  if (said !== undefined) return said
  if (location !== undefined) return `it says that FARMER_URL is ${quote(location.slice(0, 200))}`
  if (status === 404) return 'there is no farmer there, or one that this worker is too old or too new for'
  return body.slice(0, 200) || reason
}

/**
 * Puts the first `size` bytes of a file to a signed address, as they are read, so that little of it is in memory. Throws what
 * keeps it from there: NotTaken if that seems to last.
 */
export async function putFile(
  address: string,
  path: string,
  size: number,
  signal: AbortSignal,
): Promise<void> {
  const file = await open(path)
  try {
    const attempt = `store ${quote(path)}`
    if ((await file.stat()).size < size) throw new NotTaken(attempt, 'it has become shorter')
    const answer = await put(address, size > 0 ? file.createReadStream({ end: size - 1 }) : [], size, signal)
    await finished(answer.resume())
    const { statusCode = 0, statusMessage = '' } = answer
    if (statusCode >= 200 && statusCode <= 299) return
    const said = `${statusCode} ${statusMessage}`
    const isLasting = statusCode >= 400 && statusCode <= 499 && !MAY_PASS.includes(statusCode)
    throw isLasting ? new NotTaken(attempt, said) : temporary(attempt, said)
  } finally {
    await file.close()
  }
}

function put(
  address: string,
  body: AsyncIterable<Buffer> | readonly Buffer[],
  size: number,
  signal: AbortSignal,
): Promise<http.IncomingMessage> {
  return new Promise((done, failed) => {
    const options = { method: 'PUT', headers: { 'Content-Length': size }, signal, timeout: STORE_TIMEOUT_MS }
    const sent = clientFor(address).request(address, options, done)
    sent.on('timeout', () => sent.destroy(new Error('nothing moves any more')))
    sent.on('error', failed)
    pipeline(body, sent).catch(failed)
  })
}
