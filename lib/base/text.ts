// Words for people: spans of time, sizes, plurals, columns, and making what others wrote harmless. Pure.

import columnsOf from 'string-width'

/** A span in seconds, in at most 7 columns: `0.4s`, `12s`, `3m 05s`, `2h 07m`, `4d 03h`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)}s`
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole}s`
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${two(whole % 60)}s`
  const minutes = Math.round(seconds / 60)
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)}h ${two(minutes % 60)}m`
  const hours = Math.round(seconds / 3600)
  return `${Math.floor(hours / 24)}d ${two(hours % 24)}h`
}

const two = (n: number) => String(n).padStart(2, '0')

const AGES: readonly [number, string][] = [
  [86_400, 'd'],
  [3600, 'h'],
  [60, 'min'],
  [1, 's'],
]

/** How long ago, given in milliseconds: `now`, `12 s ago`, `3 h ago`, `40 d ago`. */
export function ago(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000)
  const [unit, name] = AGES.find(([unit]) => seconds >= unit) ?? [0, '']
  return unit === 0 ? 'now' : `${Math.floor(seconds / unit)} ${name} ago`
}

/** A size in bytes: `0 B`, `999 B`, `1.5 KiB`, `20 MiB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let [size, unit] = [bytes, 0]
  while (size >= 1023.5 && unit < units.length - 1) [size, unit] = [size / 1024, unit + 1]
  return `${unit > 0 && size < 9.95 ? size.toFixed(1) : Math.round(size)} ${units[unit]!}`
}

/** One form or the other; the other is the one with an `s` if not given. */
export const plural = (n: number, one: string, many = one + 's'): string => (n === 1 ? one : many)

/** `3 tasks`. */
export const counted = (n: number, one: string, many?: string): string => `${n} ${plural(n, one, many)}`

/**
 * Text that someone else wrote, as it may stand on one line of a terminal: each control character, and what reorders
 * text or takes no space, becomes a `?`. White space becomes a blank.
 */
export function harmless(text: string): string {
  return text.replace(/[\t\n\r]+/g, ' ').replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, '?')
}

// Escape sequences as terminals read them: those that set colours are kept apart from all others, CSI and OSC.
/* eslint-disable no-control-regex -- control characters are what is looked for */
const COLOUR = /(\x1b\[[\d;:]*m)/
const SEQUENCE = /\x1b\[[\d;:<=>?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)/g
/* eslint-enable no-control-regex */

/**
 * A line of a log as it may stand on a terminal: of escape sequences only those that set colours stay, if `colours`.
 * Tabs stay; a carriage return, with which a program overwrites its line, becomes a blank.
 */
export function harmlessLine(line: string, colours: boolean): string {
  const plain = (text: string) =>
    text.replace(/\r/g, ' ').replace(/[^\P{Cc}\t]|[\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, '?')
  return line
    .replace(/\r+$/, '')
    .split(COLOUR)
    .map((part, i) => (i % 2 === 0 ? plain(part.replace(SEQUENCE, '')) : colours ? part : ''))
    .join('')
}

/** The columns of a terminal that the text takes: 2 for wide characters and emoji, 0 for marks that combine. */
export const width = (text: string): number => columnsOf(text)

/** The text in at most `columns`, with an ellipsis where it was cut, never inside a character that people see as one. */
export function clip(text: string, columns: number): string {
  if (width(text) <= columns) return text
  let [kept, taken] = ['', 0]
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    taken += width(segment)
    if (taken > columns - 1) break
    kept += segment
  }
  return kept + '…'
}
