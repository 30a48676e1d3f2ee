// For how long a server wants to be left alone. Pure.

/** The longest that is believed: no such limit lasts longer, whatever two clocks say. */
const PAUSE_MAX_MS = 3_600_000

/** Milliseconds, an hour at most, as `Retry-After` or a spent limit says; undefined if neither does. */
export function pauseIn(headers: Headers, now = Date.now()): number | undefined {
  const pause = retryAfter(headers, now) ?? limitReset(headers, now)
  return pause === undefined ? undefined : Math.min(Math.max(0, pause), PAUSE_MAX_MS)
}

/** Seconds, or a date. */
function retryAfter(headers: Headers, now: number): number | undefined {
  const after = headers.get('retry-after')
  if (after === null) return undefined
  if (/^\d{1,9}$/.test(after)) return Number(after) * 1000
  const until = Date.parse(after)
  return Number.isNaN(until) ? undefined : until - now
}

function limitReset(headers: Headers, now: number): number | undefined {
  const [left, reset] = [headers.get('x-ratelimit-remaining'), headers.get('x-ratelimit-reset')]
  if (left !== '0' || reset === null || !/^\d{1,12}$/.test(reset)) return undefined
  return Math.max(1000, Number(reset) * 1000 - now)
}
