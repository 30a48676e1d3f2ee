// A worker's side of the protocol of `lib/farm/protocol.ts`.

import { openAsBlob } from 'node:fs'

import { quote, temporary } from '../../lib/base/exit.ts'
import { ALIVE } from '../../lib/farm/protocol.ts'

/** The farmer says that what we speak of does not stand any more. */
export class Gone extends Error {}

/** How long an answer may take that is given at once, in milliseconds. */
const REPLY_TIMEOUT_MS = 10 * ALIVE

export class FarmerClient {
  readonly origin: string
  readonly #secret: string | undefined

  constructor(origin: string, secret: string | undefined) {
    this.origin = origin.replace(/\/+$/, '')
    this.#secret = secret
  }

  /** The answer; undefined where there is none yet (204). Throws Gone for 410, and any other failure as it is. */
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
    if (answer.status === 204) return undefined
    return (await answer.json()) as T
  }

  /** Sends output from a place on, and returns where the farmer has it to. */
  async output(path: string, bytes: Buffer): Promise<number> {
    const answer = await this.#send('PUT', path, AbortSignal.timeout(REPLY_TIMEOUT_MS), bytes, [409])
    return ((await answer.json()) as { at: number }).at
  }

  async #send(
    method: string,
    path: string,
    signal: AbortSignal,
    body?: string | Buffer,
    well: readonly number[] = [],
  ): Promise<Response> {
    const answer = await fetch(this.origin + path, {
      method,
      signal,
      headers: {
        ...(this.#secret === undefined ? {} : { Authorization: `Bearer ${this.#secret}` }),
        ...(typeof body === 'string' ? { 'Content-Type': 'application/json' } : {}),
      },
      ...(body === undefined ? {} : { body }),
    })
    if (answer.ok || well.includes(answer.status)) return answer
    const text = await answer.text()
    if (answer.status === 410) throw new Gone('the farmer has given it up')
    const why = (/"error":"([^"]*)"/.exec(text)?.[1] ?? text.slice(0, 200)) || answer.statusText
    throw temporary(
      `ask the farmer for ${quote(`${method} ${path.split('?')[0]!}`)}`,
      `${answer.status}: ${why}`,
    )
  }
}

/** Puts a file to a signed address. The file is read as it is sent. */
export async function putFile(
  address: string,
  path: string,
  size: number,
  signal: AbortSignal,
): Promise<void> {
  const file = await openAsBlob(path)
  const body = file.size === size ? file : file.slice(0, size)
  const answer = await fetch(address, { method: 'PUT', body, signal })
  await answer.arrayBuffer()
  if (!answer.ok) throw temporary(`store ${quote(path)}`, `${answer.status} ${answer.statusText}`)
}
