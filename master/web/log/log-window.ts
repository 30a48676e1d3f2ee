// A log of a step as windows of bounded size, however long it is: lines of both streams in the order of their labels,
// read from any place in both directions. A line is named by its stream and the byte it begins at, which never changes
// because logs only grow; so no index is needed to open a long log, link to a line of it, or go on from there.

import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'

import { isLabel, LABEL_LENGTH } from '../../../lib/base/tai64n.ts'
import { openPlain } from '../../../lib/system/plain.ts'

/** Bytes read at once, and the longest line that is shown whole. */
const CHUNK = 256 * 1024
/** Bytes of a line that are kept; windows leave out the rest, plain text never. */
const LINE_MAX = 16 * 1024

/** Bytes that a search looks through before it answers with what it has: a second or so of work. */
const SEARCHED = 128 << 20
/** A line that is found costs as much as so many bytes that are looked through. */
const FOUND_COST = CHUNK / 4

const [NEWLINE, SPACE] = [0x0a, 0x20]

type StreamName = 'out' | 'err'

/** A place between lines: the byte each stream has been read to. */
export type Position = Readonly<Record<StreamName, number>>

export class Line {
  readonly stream: StreamName
  /** The byte it begins at, and the one behind its newline. */
  readonly at: number
  readonly next: number
  /** Empty where it has none of its own, as in a file that no slave of ours wrote. */
  readonly label: string
  /** The label it is ordered by: its own, or that of the line before it. */
  key: string
  /** The buffer that it is part of: a copy for each line would take too much memory. */
  readonly bytes: Buffer
  /** Where in `bytes` its text begins, without the label, and ends, without the newline. */
  readonly start: number
  readonly end: number
  /** True if the line is longer than what is here. */
  readonly cut: boolean

  constructor(
    stream: StreamName,
    [at, next]: readonly [number, number],
    bytes: Buffer,
    [from, to]: readonly [number, number],
  ) {
    this.stream = stream
    this.at = at
    this.next = next
    this.bytes = bytes
    this.end = Math.min(to, from + LINE_MAX)
    this.cut = to > this.end
    this.label = labelOf(bytes, from, this.end)
    this.key = this.label
    const behind = from + (this.label === '' ? 0 : LABEL_LENGTH)
    this.start = this.label !== '' && behind < this.end && bytes[behind] === SPACE ? behind + 1 : behind
  }

  /** Without label and newline. */
  get text(): Buffer {
    return this.bytes.subarray(this.start, this.end)
  }
}

export interface LogWindow {
  readonly lines: readonly Line[]
  readonly from: Position
  readonly to: Position
  /** True if nothing is before, or behind. */
  readonly first: boolean
  readonly last: boolean
}

/** `12,0`, as it stands in links. Pure. */
export const formatPosition = ({ out, err }: Position): string => `${out},${err}`

/** Pure. */
export function parsePosition(text: string | undefined): Position | undefined {
  const match = /^(\d{1,15}),(\d{1,15})$/.exec(text ?? '')
  return match ? { out: Number(match[1]), err: Number(match[2]) } : undefined
}

/** `o12` or `e12`, the name of a line. Pure. */
export const formatLineName = ({ stream, at }: Pick<Line, 'stream' | 'at'>): string => `${stream[0]!}${at}`

/** Pure. */
export function parseLineName(text: string | undefined): Pick<Line, 'stream' | 'at'> | undefined {
  const match = /^([oe])(\d{1,15})$/.exec(text ?? '')
  return match ? { stream: match[1] === 'o' ? 'out' : 'err', at: Number(match[2]) } : undefined
}

/** One stream of a step, `size` bytes of it: what is written later is not seen. */
class Stream {
  readonly name: StreamName
  readonly #file: FileHandle | undefined
  readonly size: number
  readonly #buffer: Buffer

  constructor(name: StreamName, file: FileHandle | undefined, size: number, buffer: Buffer) {
    this.name = name
    this.#file = file
    this.size = size
    this.#buffer = buffer
  }

  /** Bytes from `at` on, at most a chunk; valid until the next read. */
  async read(at: number, length = CHUNK): Promise<Buffer> {
    const wanted = Math.max(0, Math.min(length, CHUNK, this.size - at))
    if (!this.#file || wanted === 0) return this.#buffer.subarray(0, 0)
    const { bytesRead } = await this.#file.read(this.#buffer, 0, wanted, at)
    return this.#buffer.subarray(0, bytesRead)
  }

  /** Lines from the start of a line on: some, or none at the end. */
  async forward(at: number): Promise<Line[]> {
    const chunk = Buffer.from(await this.read(at))
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
    if (to === 0) return []
    const from = Math.max(0, to - CHUNK)
    const chunk = Buffer.from(await this.read(from, to - from))
    const begins = from === 0 ? 0 : chunk.indexOf(NEWLINE) + 1
    // The newline that ends the only line there is says nothing about where it begins.
    if (from > 0 && (begins === 0 || begins === chunk.length)) {
      const at = await this.lineAt(from)
      const piece = Buffer.from(await this.read(at, LINE_MAX + 1))
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
    for (let to = Math.min(at, this.size); to > 0;) {
      const from = Math.max(0, to - CHUNK)
      const newline = (await this.read(from, to - from)).lastIndexOf(NEWLINE)
      if (newline >= 0) return from + newline + 1
      to = from
    }
    return 0
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
    let [low, high] = [0, this.size]
    while (high - low > CHUNK / 4) {
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
    // What may be cut is read again: the last line, or of one that fills the chunk as much as the text is long.
    const cut = text.lastIndexOf('\n') + 1
    return { at: at + (cut > 0 ? cut : Math.max(1, text.length - needle.length + 1)) }
  }

  async #beginsLine(at: number): Promise<boolean> {
    return at === 0 || (await this.read(at - 1, 1))[0] === NEWLINE
  }

  /** The one line that begins there, with bytes of its own. */
  async #line(at: number): Promise<Line> {
    const bytes = Buffer.from(await this.read(at, LINE_MAX + 1))
    const end = bytes.indexOf(NEWLINE)
    const next = end < 0 ? await this.lineAfter(at) : at + end + 1
    return new Line(this.name, [at, next], bytes, [0, end < 0 ? bytes.length : end])
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

function labelOf(bytes: Buffer, from = 0, to = bytes.length): string {
  const text = bytes.toString('latin1', from, Math.min(to, from + LABEL_LENGTH))
  return isLabel(text) ? text : ''
}

/** The log of one step as it is now. The caller closes it. */
export class WindowedLog {
  readonly #streams: readonly [Stream, Stream]
  readonly #files: readonly (FileHandle | undefined)[]
  readonly size: Position

  private constructor(streams: readonly [Stream, Stream], files: readonly (FileHandle | undefined)[]) {
    this.#streams = streams
    this.#files = files
    this.size = { out: streams[0].size, err: streams[1].size }
  }

  /**
   * Opens the log of the step in this directory. With `whole`, as while it runs, only lines that have their newline
   * are there; a stream that is not there is empty.
   */
  static async open(step: string, whole: boolean): Promise<WindowedLog> {
    const files: (FileHandle | undefined)[] = []
    try {
      const streams: Stream[] = []
      for (const name of ['out', 'err'] as const) {
        const file = await openPlain(join(step, `std${name}.txt`))
        files.push(file)
        const size = file ? (await file.stat()).size : 0
        const buffer = Buffer.allocUnsafeSlow(Math.min(size, CHUNK))
        const all = new Stream(name, file, size, buffer)
        streams.push(whole ? new Stream(name, file, await all.wholeEnd(), buffer) : all)
      }
      return new WindowedLog([streams[0]!, streams[1]!], files)
    } catch (error) {
      await closeAll(files)
      throw error
    }
  }

  close(): Promise<void> {
    return closeAll(this.#files)
  }

  /** At most `count` lines from a place on. */
  async forward(from: Position, count: number): Promise<LogWindow> {
    const queues = this.#streams.map(stream => ({ stream, at: from[stream.name], lines: [] as Line[], i: 0 }))
    const lines: Line[] = []
    let bytes = 0
    while (lines.length < count && bytes < CHUNK) {
      for (const queue of queues) {
        if (queue.i < queue.lines.length) continue
        queue.lines = orderly(await queue.stream.forward(queue.at))
        queue.i = 0
      }
      const [out, err] = queues.map(({ lines, i }) => lines[i])
      const line = !err || (out && out.key <= err.key) ? out : err
      if (!line) break
      const queue = queues[line === out ? 0 : 1]!
      queue.i++
      queue.at = line.next
      lines.push(line)
      bytes += line.end - line.start
    }
    return this.#window(lines, from, { out: queues[0]!.at, err: queues[1]!.at })
  }

  /** At most `count` lines that end at a place. */
  async backward(to: Position, count: number): Promise<LogWindow> {
    const queues = this.#streams.map(stream => ({ stream, at: to[stream.name], lines: [] as Line[] }))
    const lines: Line[] = []
    let bytes = 0
    while (lines.length < count && bytes < CHUNK) {
      for (const queue of queues) {
        if (queue.lines.length === 0) queue.lines = orderly(await queue.stream.backward(queue.at))
      }
      const [out, err] = queues.map(({ lines }) => lines.at(-1))
      const line = !out || (err && err.key >= out.key) ? err : out
      if (!line) break
      const queue = queues[line === out ? 0 : 1]!
      queue.lines.pop()
      queue.at = line.at
      lines.push(line)
      bytes += line.end - line.start
    }
    return this.#window(lines.reverse(), { out: queues[0]!.at, err: queues[1]!.at }, to)
  }

  /**
   * At most `count` lines from a place on that hold the text, upper and lower case being the same for ASCII. Looks through
   * `most` bytes, so the window may end early, with no line found so far; ends when `signal` says so.
   */
  async search(
    text: string,
    from: Position,
    count: number,
    signal?: AbortSignal,
    most = SEARCHED,
  ): Promise<LogWindow> {
    const needle = Buffer.from(text).toString('latin1').toLowerCase()
    // No line holds the end of one.
    if (needle.includes('\n')) return this.#window([], from, this.size)
    const queues = this.#streams.map(stream => ({
      stream,
      at: from[stream.name],
      line: undefined as Line | undefined,
    }))
    const lines: Line[] = []
    let left = most
    const isEnough = () => signal?.aborted === true || left <= 0
    while (!isEnough()) {
      for (const queue of queues) {
        while (!queue.line && queue.at < queue.stream.size && !isEnough()) {
          const before = queue.at
          const { line, at } = await queue.stream.find(needle, before)
          left -= Math.max(at - before, FOUND_COST)
          queue.line = line
          queue.at = at
        }
      }
      const [out, err] = queues
      if (queues.some(({ line, at, stream }) => !line && at < stream.size)) break
      const next = !err!.line || (out!.line && out!.line.key <= err!.line.key) ? out! : err!
      if (!next.line || lines.length === count) break
      lines.push(next.line)
      next.at = next.line.next
      next.line = undefined
    }
    return this.#window(lines, from, { out: queues[0]!.at, err: queues[1]!.at })
  }

  /** All bytes of a line, its label and newline too, however long it is; each piece is valid until the next. */
  async *bytes(line: Pick<Line, 'stream' | 'at' | 'next'>): AsyncGenerator<Buffer> {
    const stream = this.#streams[line.stream === 'out' ? 0 : 1]
    for (let at = line.at; at < line.next;) {
      const piece = await stream.read(at, line.next - at)
      if (piece.length === 0) return
      yield piece
      at += piece.length
    }
  }

  /** The place just before a line; any byte of it will do. */
  async before({ stream, at }: Pick<Line, 'stream' | 'at'>): Promise<Position> {
    const [out, err] = this.#streams
    const [mine, other] = stream === 'out' ? [out, err] : [err, out]
    const start = await mine.lineAt(Math.min(at, mine.size))
    const label = labelOf(await mine.read(start, LABEL_LENGTH))
    // Of lines with one label those of standard output come first.
    const beside = start >= mine.size ? other.size : await other.seek(label, stream === 'err')
    return stream === 'out' ? { out: start, err: beside } : { out: beside, err: start }
  }

  /** The place at a part of the whole, 0 to 1, by the length of the longer stream. */
  async part(fraction: number): Promise<Position> {
    if (fraction <= 0) return { out: 0, err: 0 }
    if (fraction >= 1) return this.size
    const stream = this.size.out >= this.size.err ? 'out' : 'err'
    return this.before({ stream, at: Math.floor(this.size[stream] * fraction) })
  }

  #window(lines: readonly Line[], from: Position, to: Position): LogWindow {
    const first = from.out <= 0 && from.err <= 0
    return { lines, from, to, first, last: to.out >= this.size.out && to.err >= this.size.err }
  }
}

/** Lines without a label belong to the one before them. */
function orderly(lines: Line[]): Line[] {
  let key = ''
  for (const line of lines) {
    if (line.label === '') line.key = key
    else key = line.label
  }
  return lines
}

async function closeAll(files: readonly (FileHandle | undefined)[]): Promise<void> {
  for (const file of files) await file?.close()
}
