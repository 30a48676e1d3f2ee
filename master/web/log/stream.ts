// One stream of a step's log, read by lines from any place in both directions, a chunk at a time.

import { isLabel, LABEL_LENGTH } from '../../../lib/base/tai64n.ts'
import type { Bytes } from '../../../lib/view/bytes.ts'
import { labelOf, Line, LINE_MAX } from './line.ts'
import type { StreamName } from './line.ts'

/** Bytes read at once, and the longest line that is shown whole. */
export const STREAM_READ_BYTES = 256 * 1024

const NEWLINE = 0x0a

const NO_BYTES = Buffer.alloc(0)

/** One stream of a step from `begin` to `size`: what is written later is not seen. */
export class Stream {
  readonly name: StreamName
  readonly begin: number
  readonly size: number
  readonly #bytes: Bytes | undefined

  constructor(name: StreamName, bytes: Bytes | undefined, size = bytes?.size ?? 0) {
    this.name = name
    this.begin = bytes?.begin ?? 0
    this.size = size
    this.#bytes = bytes
  }

  /** Bytes from `at` on, at most a chunk. */
  async read(at: number, length = STREAM_READ_BYTES): Promise<Buffer> {
    const wanted = Math.min(length, STREAM_READ_BYTES, this.size - at)
    return this.#bytes && wanted > 0 ? this.#bytes.read(at, wanted) : NO_BYTES
  }

  /** Lines from the start of a line on: some, or none at the end. */
  async forward(at: number): Promise<Line[]> {
    at = Math.max(at, this.begin)
    const chunk = await this.read(at)
    const lines: Line[] = []
    let start = 0
    while (start < chunk.length) {
      const end = chunk.indexOf(NEWLINE, start)
      if (end < 0 && lines.length > 0) break
      if (end < 0) return [await this.#line(at)]
      lines.push(new Line(this.name, [at + start, at + end + 1], chunk, [start, end]))
      start = end + 1
    }
    // The last line of all has no newline if its writer died.
    if (start < chunk.length && at + chunk.length === this.size)
      lines.push(new Line(this.name, [at + start, this.size], chunk, [start, chunk.length]))
    return lines
  }

  /** Lines that end at `to`, which is the start of a line or the end of all: some, or none at the beginning. */
  async backward(to: number): Promise<Line[]> {
    if (to <= this.begin) return []
    const from = Math.max(this.begin, to - STREAM_READ_BYTES)
    const chunk = await this.read(from, to - from)
    const begins = from === this.begin ? 0 : chunk.indexOf(NEWLINE) + 1
    // The newline that ends the only line there is says nothing about where it begins.
    if (from > this.begin && (begins === 0 || begins === chunk.length)) {
      const at = await this.lineAt(from)
      const piece = await this.read(at, LINE_MAX + 1)
      return [new Line(this.name, [at, to], piece, [0, piece.length])]
    }
    const lines: Line[] = []
    for (let start = begins; start < chunk.length;) {
      const newline = chunk.indexOf(NEWLINE, start)
      const end = newline < 0 ? chunk.length : newline
      const next = Math.min(chunk.length, end + 1)
      lines.push(new Line(this.name, [from + start, from + next], chunk, [start, end]))
      start = next
    }
    return lines
  }

  /** Where the line begins that holds this byte. */
  async lineAt(at: number): Promise<number> {
    for (let to = Math.min(at, this.size); to > this.begin;) {
      const from = Math.max(this.begin, to - STREAM_READ_BYTES)
      const newline = (await this.read(from, to - from)).lastIndexOf(NEWLINE)
      if (newline >= 0) return from + newline + 1
      to = from
    }
    return this.begin
  }

  /** Where the line begins that follows the one that holds this byte. */
  async lineAfter(at: number): Promise<number> {
    while (at < this.size) {
      const chunk = await this.read(at)
      if (chunk.length === 0) break
      const newline = chunk.indexOf(NEWLINE)
      if (newline >= 0) return at + newline + 1
      at += chunk.length
    }
    return this.size
  }

  /** Where the first line begins whose label is not before this one, or with `behind` is behind it. */
  async seek(label: string, behind: boolean): Promise<number> {
    const isBefore = (other: string) => (behind ? other <= label : other < label)
    // All lines that begin before `low` are before; none that begins at `high` or later is.
    let [low, high] = [this.begin, this.size]
    while (high - low > STREAM_READ_BYTES / 4) {
      const start = await this.lineAfter(low + Math.floor((high - low) / 2))
      if (start >= high) break
      if (isBefore(labelOf(await this.read(start, LABEL_LENGTH)))) low = start
      else high = start
    }
    for (;;) {
      const lines = await this.forward(low)
      const found = lines.find(({ label }) => !isBefore(label))
      if (found || lines.length === 0) return found?.at ?? low
      low = lines.at(-1)!.next
    }
  }

  /**
   * The first line that holds the text, which is in lower case and latin1, among those that begin in the chunk from `at` on;
   * else where to go on. `at` is the start of a line, or inside a line that is longer than a chunk. Reads each byte once.
   */
  async find(needle: string, at: number): Promise<{ line?: Line; at: number }> {
    at = Math.max(at, this.begin)
    const text = (await this.read(at)).toString('latin1').toLowerCase()
    const isLast = text === '' || at + text.length >= this.size
    for (let from = 0; ;) {
      const found = text.indexOf(needle, from)
      if (found < 0) break
      const start = text.lastIndexOf('\n', found) + 1
      const behind = textStart(text, start)
      // A label is no part of what was printed.
      if (found < behind && (start > 0 || (await this.#beginsLine(at)))) from = behind
      else {
        const line = await this.#line(start > 0 ? at + start : await this.lineAt(at + found))
        return { line, at: line.at }
      }
    }
    if (isLast) return { at: this.size }
    // A part that may be cut is read again: the last line, or of one that fills the chunk as much as the text is long.
    const cut = text.lastIndexOf('\n') + 1
    return { at: at + (cut > 0 ? cut : Math.max(1, text.length - needle.length + 1)) }
  }

  async #beginsLine(at: number): Promise<boolean> {
    return at === this.begin || (await this.read(at - 1, 1))[0] === NEWLINE
  }

  /** The one line that begins there, with bytes of its own. */
  async #line(at: number): Promise<Line> {
    const bytes = await this.read(at, LINE_MAX + 1)
    const end = bytes.indexOf(NEWLINE)
    const next = end < 0 ? await this.lineAfter(at) : at + end + 1
    return new Line(this.name, [at, next], bytes, [0, end < 0 ? bytes.length : end])
  }

  /** How many lines begin before a place. */
  async count(to: number): Promise<number> {
    let [lines, at] = [0, this.begin]
    while (at < to) {
      const chunk = await this.read(at, to - at)
      if (chunk.length === 0) break
      for (let i = chunk.indexOf(NEWLINE); i >= 0; i = chunk.indexOf(NEWLINE, i + 1)) lines++
      at += chunk.length
    }
    return lines
  }

  /** The end of the last whole line. */
  async wholeEnd(): Promise<number> {
    return this.lineAt(this.size)
  }
}

/** Where behind the label, if there is one, the text of the line begins that starts at `start`. */
function textStart(chunk: string, start: number): number {
  const end = start + LABEL_LENGTH
  return isLabel(chunk.slice(start, end)) ? end + 1 : start
}
