// TAI64N labels: `@` and 24 hex digits, eight bytes of seconds and four of nanoseconds, as daemontools writes them
// (https://cr.yp.to/libtai/tai64.html). Seconds are 2^62 plus TAI; like daemontools we take TAI as UTC plus 10 s,
// without a table of leap seconds, so `tai64nlocal` shows our labels as local time. Pure but for `now`.

const EPOCH = 2n ** 62n + 10n

/** Bytes of a label, without the space behind it. */
export const LABEL_LENGTH = 25

/** The label of an instant, given in milliseconds since 1970 and, within it, in nanoseconds. */
export function formatLabel(milliseconds: number, nanoseconds = 0): string {
  const whole = Math.floor(milliseconds / 1000)
  const rest = Math.floor((milliseconds - whole * 1000) * 1e6) + nanoseconds
  return '@' + (EPOCH + BigInt(whole)).toString(16) + rest.toString(16).padStart(8, '0')
}

/** True if the text is a label. */
export const isLabel = (text: string): boolean =>
  /^@[0-9a-f]{24}$/.test(text) && parseInt(text.slice(17), 16) < 1e9

/** The instant that a label names, in milliseconds since 1970 with fractions; undefined if the text is no label. */
export function parseLabel(text: string): number | undefined {
  if (!isLabel(text)) return undefined
  const seconds = BigInt('0x' + text.slice(1, 17)) - EPOCH
  return Number(seconds) * 1000 + parseInt(text.slice(17), 16) / 1e6
}

// The wall clock, but never backwards within one process: two lines written one after the other stay in order.
let origin = Date.now() - performance.now()
let last = 0

/** How far the steady clock may be from the wall clock, which tells milliseconds only, before it is set by it. */
const SLACK = 3

/** The label of this instant. */
export function now(): string {
  const [wall, steady] = [Date.now(), performance.now()]
  if (Math.abs(wall - origin - steady) > SLACK) origin = wall - steady
  last = Math.max(last, origin + steady)
  return formatLabel(last)
}
