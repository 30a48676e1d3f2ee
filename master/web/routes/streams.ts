// Streams of events, for pages that change while one looks at them.

import { streamSSE } from 'hono/streaming'
import type { SSEStreamingApi } from 'hono/streaming'

import type { Asked } from './ground.ts'

/** A stream that has nothing to say says so this often, in milliseconds: else proxies close it. */
const STREAM_BEAT_MS = 20_000

const HEADERS = { 'X-Accel-Buffering': 'no', 'Cache-Control': 'no-store' }

/** A stream of events, as long as the browser listens; to HEAD only how it would begin. */
export function events(
  c: Asked,
  send: (stream: SSEStreamingApi, stop: AbortSignal) => Promise<void>,
): Response {
  for (const [name, value] of Object.entries(HEADERS)) c.header(name, value)
  if (c.req.method === 'HEAD') return c.body(null, 200, { 'Content-Type': 'text/event-stream' })
  return streamSSE(c, async stream => {
    const stop = new AbortController()
    stream.onAbort(() => stop.abort())
    const beat = setInterval(() => void stream.write(': still here\n\n'), STREAM_BEAT_MS)
    try {
      await send(stream, stop.signal)
    } finally {
      clearInterval(beat)
    }
  })
}
