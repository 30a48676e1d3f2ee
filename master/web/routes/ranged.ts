// Bytes as an answer: all of them, or the range that is asked for, read as its reader takes them.

import { Readable } from 'node:stream'

import type { Bytes } from '../../../lib/view/bytes.ts'
import type { Asked } from './ground.ts'

/** Bytes read at once. */
const RANGE_READ_BYTES = 256 * 1024

/** Answers with these bytes, and closes them. */
export async function ranged(
  c: Asked,
  bytes: Bytes,
  headers: Readonly<Record<string, string>>,
): Promise<Response> {
  const { size } = bytes
  const range = byteRange(c.req.header('range'), size)
  const { start, end } = range ?? { start: 0, end: size - 1 }
  const more = {
    ...headers,
    'Accept-Ranges': 'bytes',
    ...(bytes.begin === undefined ? {} : { 'Bass-Begin': String(bytes.begin) }),
  }
  if (range && start > end) {
    await bytes.close()
    return c.body(null, 416, { ...more, 'Content-Range': `bytes */${size}` })
  }
  const content = Readable.from(contentOf(bytes, start, end + 1), { objectMode: true, highWaterMark: 1 })
  // Also where nobody reads it, as after HEAD.
  content.once('close', () => void bytes.close())
  return c.body(Readable.toWeb(content) as ReadableStream, range ? 206 : 200, {
    ...more,
    'Content-Length': String(end - start + 1),
    ...(range ? { 'Content-Range': `bytes ${start}-${end}/${size}` } : {}),
  })
}

/** The bytes from `start` to `end`, a chunk at a time. Those that are gone meanwhile break it off. */
export async function* contentOf(bytes: Bytes, start: number, end: number): AsyncGenerator<Buffer> {
  for (let at = start; at < end;) {
    const chunk = await bytes.read(at, Math.min(RANGE_READ_BYTES, end - at))
    if (chunk.length === 0) throw new Error('it has become shorter')
    yield chunk
    at += chunk.length
  }
}

/**
 * The first and the last byte of `size` that a Range header asks for, so that a download goes on where it broke off; the
 * first behind the last if there is nothing there; undefined if it asks for anything else than one range. Pure. The
 * package range-parser refuses the last 99 of 10 bytes, which are all of them (RFC 9110, 14.1.2).
 */
export function byteRange(
  header: string | undefined,
  size: number,
): { start: number; end: number } | undefined {
  const [, from, to] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '') ?? []
  if (from === undefined || to === undefined || from + to === '' || size === 0) return undefined
  if (from === '') return { start: Math.max(0, size - Number(to)), end: size - 1 }
  if (to !== '' && Number(to) < Number(from)) return undefined
  return { start: Number(from), end: to === '' ? size - 1 : Math.min(Number(to), size - 1) }
}
