// Output of a step that runs, as far as its worker has sent it: pieces, of which the oldest may be gone.

import { OUTPUT_MAX } from '../../lib/farm/protocol.ts'
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

/**
 * Keeps what a worker sends of a stream and returns where that is known to; undefined if nobody watches any more. What begins
 * before that place is not kept. What begins behind it was not watched in between: then nothing older is wanted.
 */
export async function keepLive(
  db: Database,
  attempt: string,
  step: string,
  stream: string,
  at: number,
  bytes: Buffer,
): Promise<number | undefined> {
  const [row] = await db<{ end: number | null; bytes: number }[]>`
    select max(at + length(bytes)) as end, coalesce(sum(length(bytes)), 0) as bytes from live
    where attempt = ${attempt} and step = ${step} and stream = ${stream}`
  const end = row!.end ?? at
  if (at < end) return end
  // The end of it is what people watch.
  const from = at > end ? at : row!.bytes > 4 * OUTPUT_MAX ? at - 2 * OUTPUT_MAX : 0
  const made = await db`
    with made as (
      insert into live (attempt, step, stream, at, bytes)
      select attempt, ${step}, ${stream}, ${at}, ${bytes} from run where attempt = ${attempt} and watched > now()
      on conflict do nothing returning at
    ), older as (
      delete from live where attempt = ${attempt} and step = ${step} and stream = ${stream}
        and at < ${from} and exists (select from made)
    ) select from made`
  if (made.length === 0) return undefined
  await db`select pg_notify('farm_live', ${attempt})`
  return at + bytes.length
}
