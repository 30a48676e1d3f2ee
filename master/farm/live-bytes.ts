// Output of a step that runs, as far as its worker has sent it: pieces, of which the oldest may be gone.

import type { Bytes } from '../../lib/view/bytes.ts'
import type { Database } from './database.ts'

/** One stream of a step; undefined if nothing was sent of it. */
export async function liveBytes(
  db: Database,
  attempt: string,
  step: string,
  stream: string,
): Promise<Bytes | undefined> {
  const [row] = await db<{ begin: number | null; size: number | null }[]>`
    select min(at) as begin, max(at + length(bytes)) as size from live
    where attempt = ${attempt} and step = ${step} and stream = ${stream}`
  if (row?.size == null) return undefined
  const size = row.size
  return {
    begin: row.begin!,
    size,
    read: async (at, length) => {
      const end = Math.min(at + length, size)
      if (end <= at) return Buffer.alloc(0)
      const pieces = await db<{ at: number; bytes: Buffer }[]>`
        select greatest(at, ${at}) as at,
          substring(bytes from greatest(${at} - at, 0)::int + 1 for (${end} - greatest(at, ${at}))::int) as bytes
        from live where attempt = ${attempt} and step = ${step} and stream = ${stream}
          and at < ${end} and at + length(bytes) > ${at} order by at`
      return joined(pieces, at)
    },
    close: () => Promise.resolve(),
  }
}

/** The bytes from `at` on, as far as they are there without a gap. */
function joined(pieces: readonly { at: number; bytes: Buffer }[], at: number): Buffer {
  const whole: Buffer[] = []
  for (const piece of pieces) {
    if (piece.at !== at) break
    whole.push(piece.bytes)
    at += piece.bytes.length
  }
  return Buffer.concat(whole)
}
