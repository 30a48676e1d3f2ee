// Reading what a forge sends: nothing of it is taken to be of the right type, and only the fields that are needed are
// read, since forges add fields and leave out others as they please. Pure.

import { createHmac } from 'node:crypto'

import { isSameSecret } from '../base/same.ts'
import { isCommitId } from '../git/commit-id.ts'
import { BadDelivery } from './forge.ts'

/** Most bytes of a delivery's body; GitHub sends none that is larger. */
export const DELIVERY_MAX = 25 * 1024 * 1024

/** Most characters of a title or a name. */
const TEXT_MAX = 300

/** The JSON of a delivery, which may be wrapped in a form. */
export function readPayload(headers: Headers, body: Uint8Array): unknown {
  const text = Buffer.from(body).toString('utf8')
  const form = headers.get('content-type')?.startsWith('application/x-www-form-urlencoded') ?? false
  try {
    return JSON.parse(form ? (new URLSearchParams(text).get('payload') ?? '') : text)
  } catch {
    throw new BadDelivery('its body is not JSON')
  }
}

/** The value at a dotted path; undefined where there is none. */
export function field(value: unknown, path: string): unknown {
  let at = value
  for (const key of path.split('.')) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return undefined
    at = (at as Record<string, unknown>)[key]
  }
  return at
}

/** A text of one line, cut to a usual length; '' where there is none. */
export function textAt(value: unknown, path: string): string {
  const found = field(value, path)
  return typeof found === 'string' ? oneLine(found).slice(0, TEXT_MAX) : ''
}

/** `text` without control characters and without space at its ends. */
const oneLine = (text: string): string => text.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ').trim()

/** A whole number above 0; null where there is none. */
export function numberAt(value: unknown, path: string): number | null {
  const found = field(value, path)
  return Number.isSafeInteger(found) && (found as number) > 0 ? (found as number) : null
}

/** An instant, in milliseconds since 1970; null where there is none. */
export function timeAt(value: unknown, path: string): number | null {
  const time = Date.parse(textAt(value, path))
  return Number.isNaN(time) ? null : time
}

/** As `numberAt`, of a field that has to be there. */
export function needNumber(value: unknown, path: string): number {
  const found = numberAt(value, path)
  if (found === null) throw new BadDelivery(`its ${path} is not a number`)
  return found
}

/** A link to a page; null where there is none that a browser may be sent to. */
export function urlAt(value: unknown, path: string): string | null {
  const found = textAt(value, path)
  return /^https?:\/\//.test(found) && URL.canParse(found) ? found : null
}

/** The id of a commit or a tag; null where there is none, or only zeros. */
export function shaAt(value: unknown, path: string): string | null {
  const found = field(value, path)
  return isSha(found) && !/^0+$/.test(found) ? found : null
}

/** As `shaAt`, of a field that has to be there. */
export function needSha(value: unknown, path: string): string {
  const found = shaAt(value, path)
  if (found === null) throw new BadDelivery(`its ${path} is not the id of a commit`)
  return found
}

const isSha = (value: unknown): value is string => typeof value === 'string' && isCommitId(value)

/** A full name of a ref that git takes, and that is safe as a path. */
export function needRef(value: unknown, path: string): string {
  const found = field(value, path)
  if (typeof found !== 'string' || !isRef(found))
    throw new BadDelivery(`its ${path} is not the name of a ref`)
  return found
}

/** The rules of `git check-ref-format`, for names below `refs/`. */
const isRef = (name: string): boolean =>
  name.length < 1000 &&
  name.startsWith('refs/') &&
  // eslint-disable-next-line no-control-regex
  !/[\x00-\x20\x7f~^:?*[\\]|\.\.|@\{|\/\/|\/\.|\.lock(?:\/|$)|[./]$/.test(name)

/** The name of a branch, `main`. */
export function needBranch(value: unknown, path: string): string {
  const found = field(value, path)
  if (typeof found !== 'string' || !isRef(`refs/heads/${found}`)) {
    throw new BadDelivery(`its ${path} is not the name of a branch`)
  }
  return found
}

/** The HMAC-SHA256 of `body`, in hex. */
export const hmac = (body: Uint8Array | string, secret: string | Buffer): Buffer =>
  createHmac('sha256', secret).update(body).digest()

/** True if `given` is the hex of the HMAC-SHA256 of the body. */
export function isSignature(given: string | null | undefined, body: Uint8Array, secret: string): boolean {
  if (secret === '' || !given || !/^[0-9a-fA-F]{64}$/.test(given)) return false
  return isSameSecret(Buffer.from(given, 'hex'), hmac(body, secret))
}

/** The first of these headers that can be the name of a file. */
export function idIn(headers: Headers, ...names: string[]): string | undefined {
  return names.map(name => headers.get(name) ?? '').find(id => /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(id))
}
