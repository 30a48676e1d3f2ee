// Calls of a forge's API: JSON over fetch, with what all forges ask of their clients: pages, limits of pace, patience
// with a server that is away, and no credential to anybody else.

import { setTimeout as sleep } from 'node:timers/promises'

import { reasonOf } from '../base/errno.ts'
import { pauseIn } from './pause.ts'
import { field, textAt } from './payload.ts'

/** How long one call may take, in milliseconds. */
const CALL_TIMEOUT_MS = 30_000
/** Most bytes of an answer. The longest, a tree of all files, has 7 MB on GitHub. */
const ANSWER_MAX = 64 << 20
/** Tries of a call that changes nothing, the pause before the second, and the longest pause that is worth waiting here. */
const CALL_TRIES = 3
const FIRST_PAUSE_MS = 500
const PAUSE_MAX = 10_000
/** How long to leave a forge alone that says that it is called too often, and not for how long. */
const LIMITED = 60_000
/** Most redirections of one call. */
const REDIRECTIONS = 3

/** The forge answered, or could not be reached. The message never holds a credential. */
export class ForgeError extends Error {
  /** The status of the answer; 0 where there was none. */
  readonly status: number
  /** True if the same call may succeed later; false if it is refused for what it asks. */
  readonly later: boolean
  /** How long the forge is to be left alone, in milliseconds; 0 if it does not say. */
  readonly after: number

  constructor(message: string, status: number, later: boolean, after = 0) {
    super(message)
    this.status = status
    this.later = later
    this.after = after
  }

  /** GitHub takes 1,000 statuses of a commit and context, and says 422 also of a commit that it does not have yet. */
  get isFull(): boolean {
    return this.status === 422 && /maximum number of statuses/i.test(this.message)
  }
}

export interface Answer<T> {
  readonly body: T
  readonly headers: Headers
}

export class Client {
  readonly #base: string
  readonly #headers: () => Promise<Record<string, string>>
  readonly #timeout: number

  /** `base` is the URL that paths are put behind; `headers` are asked for before each call, which may take `timeout` milliseconds. */
  constructor(base: string, headers: () => Promise<Record<string, string>>, timeout = CALL_TIMEOUT_MS) {
    this.#base = base
    this.#headers = headers
    this.#timeout = timeout
  }

  /** The answer to a GET, which is tried again while the forge is away for a moment. Throws ForgeError. */
  async get(path: string): Promise<Answer<unknown>> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#call('GET', path)
      } catch (error) {
        const pause =
          error instanceof ForgeError ? Math.max(error.after, FIRST_PAUSE_MS * 2 ** (tries - 1)) : Infinity
        if (!(error instanceof ForgeError) || !error.later || tries === CALL_TRIES || pause > PAUSE_MAX)
          throw error
        await sleep(pause)
      }
    }
  }

  /** As `get`; undefined where the forge says that there is no such thing. */
  async find(path: string): Promise<Answer<unknown> | undefined> {
    try {
      return await this.get(path)
    } catch (error) {
      if (error instanceof ForgeError && error.status === 404) return undefined
      throw error
    }
  }

  /** The answer to a POST, which is sent once: whether to send it again is the caller's business. Throws ForgeError. */
  async post(path: string, body: unknown): Promise<Answer<unknown>> {
    return this.#call('POST', path, body)
  }

  /** All items of a list that comes in pages. A page that fails is an error, never the end. */
  async *pages(path: string): AsyncGenerator {
    let next: string | undefined = path
    const seen = new Set<string>()
    while (next !== undefined) {
      if (seen.has(next)) throw new ForgeError('its pages go round in a circle', 200, true)
      seen.add(next)
      const { body, headers }: Answer<unknown> = await this.get(next)
      if (!Array.isArray(body)) throw new ForgeError('it answered with something else than a list', 200, true)
      yield* body
      next = nextPage(next, headers.get('link'))
    }
  }

  async #call(method: string, path: string, body?: unknown): Promise<Answer<unknown>> {
    const sent = body === undefined ? {} : { body: JSON.stringify(body) }
    const headers = {
      Accept: 'application/json',
      'User-Agent': 'BASS',
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...(await this.#headers()),
    }
    let url = new URL(this.#base + path)
    for (let redirections = 0; ; redirections++) {
      // Of the whole answer, however slowly it comes.
      const signal = AbortSignal.timeout(this.#timeout)
      const response = await fetch(url.href, { method, headers, ...sent, redirect: 'manual', signal }).catch(
        unreached,
      )
      const target = response.status >= 300 && response.status < 400 ? response.headers.get('location') : null
      if (target === null) return await answerOf(response)
      await response.body?.cancel()
      const next = URL.canParse(target, url.href) ? new URL(target, url) : undefined
      // A repository that was renamed: the same call, and only of the server that has the credential anyway.
      if (next?.origin !== url.origin || redirections === REDIRECTIONS) {
        throw new ForgeError(`it sends elsewhere (${response.status})`, response.status, false)
      }
      url = next
    }
  }
}

/** The path of the next page. Only its query is the forge's: behind a proxy the forge may not know its own address. */
function nextPage(path: string, link: string | null): string | undefined {
  const target = /<([^>]*)>\s*;[^,]*rel="?next"?/.exec(link ?? '')?.[1]
  if (target === undefined || !URL.canParse(target, 'http://forge')) return undefined
  return path.replace(/\?.*$/s, '') + new URL(target, 'http://forge').search
}

function unreached(error: unknown): never {
  throw new ForgeError(`it cannot be reached: ${reasonOf(error)}`, 0, true)
}

async function answerOf(response: Response): Promise<Answer<unknown>> {
  const text = await readText(response)
  if (!response.ok) throw errorOf(response, text)
  try {
    return { body: text === '' ? undefined : (JSON.parse(text) as unknown), headers: response.headers }
  } catch {
    throw new ForgeError('it answered with something else than JSON', response.status, true)
  }
}

async function readText(response: Response): Promise<string> {
  const parts: Uint8Array[] = []
  let size = 0
  try {
    for await (const part of (response.body ?? []) as AsyncIterable<Uint8Array>) {
      size += part.length
      if (size > ANSWER_MAX) throw new ForgeError('its answer has no end', response.status, false)
      parts.push(part)
    }
  } catch (error) {
    if (error instanceof ForgeError) throw error
    throw new ForgeError('its answer was cut off', response.status, true)
  }
  return Buffer.concat(parts).toString('utf8')
}

/** The error of an answer that failed, with the time after which the next call may be made. */
function errorOf({ status, headers }: Response, text: string): ForgeError {
  const said = saidIn(text)
  const limited = status === 429 || (status === 403 && isLimit(headers, said))
  const later = limited || status >= 500 || status === 408 || status === 425
  const after = later ? (pauseIn(headers) ?? (limited ? LIMITED : 0)) : 0
  return new ForgeError(`it answered ${status}${said === '' ? '' : `: ${said}`}`, status, later, after)
}

/** GitHub says 403 both of what one may not do and of doing it too often. */
const isLimit = (headers: Headers, said: string): boolean =>
  headers.has('retry-after') || headers.get('x-ratelimit-remaining') === '0' || /rate limit|abuse/i.test(said)

/** The forge's own sentence, of one line and a usual length. */
function saidIn(text: string): string {
  try {
    const body = JSON.parse(text) as unknown
    const message = field(body, 'message')
    const first = field(body, 'errors.0')
    const detail = typeof first === 'string' ? first : textAt(first, 'message') || textAt(first, 'code')
    const said =
      typeof message === 'string'
        ? message
        : message === undefined
          ? textAt(body, 'error')
          : JSON.stringify(message)
    return [said, detail]
      .filter(part => part !== '')
      .join(': ')
      .replace(/\p{Cc}+/gu, ' ')
      .slice(0, 200)
  } catch {
    return ''
  }
}
