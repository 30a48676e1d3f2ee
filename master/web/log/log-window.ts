// A log of a step as windows of bounded size, however long it is: lines of both streams in the order of their labels,
// read from any place in both directions. A line is named by its stream and the byte it begins at, so no index is needed to
// open a long log, link to a line of it, or go on from there.

import { LABEL_LENGTH } from '../../../lib/base/tai64n.ts'
import { closeStepLog } from '../../../lib/view/bytes.ts'
import type { StepLog } from '../../../lib/view/bytes.ts'
import { labelOf } from './line.ts'
import type { Line, Position } from './line.ts'
import { STREAM_READ_BYTES, Stream } from './stream.ts'

/** Bytes that a search looks through before it answers with what it has: a second or so of work. */
const SEARCHED = 128 << 20
/** A line that is found costs as much as so many bytes that are looked through. */
const FOUND_COST = STREAM_READ_BYTES / 4
/** Bytes in which lines are counted, to number what follows: some 20 ms of work. */
const COUNTED = 64 << 20

export interface LogWindow {
  readonly lines: readonly Line[]
  readonly from: Position
  readonly to: Position
  /** True if nothing is before, or behind. */
  readonly first: boolean
  readonly last: boolean
}

/** The log of one step as it is now. The caller closes it. */
export class WindowedLog {
  readonly #streams: readonly [Stream, Stream]
  readonly #log: StepLog
  readonly size: Position

  private constructor(streams: readonly [Stream, Stream], log: StepLog) {
    this.#streams = streams
    this.#log = log
    this.size = { out: streams[0].size, err: streams[1].size }
  }

  /**
   * The log of a step, which it closes. With `whole`, as while it runs, only lines that have their newline are there; a stream
   * that is not there is empty.
   */
  static async open(log: StepLog, whole: boolean): Promise<WindowedLog> {
    try {
      const [out, err] = [new Stream('out', log.out), new Stream('err', log.err)]
      if (!whole) return new WindowedLog([out, err], log)
      const ends = [await out.wholeEnd(), await err.wholeEnd()] as const
      return new WindowedLog([new Stream('out', log.out, ends[0]), new Stream('err', log.err, ends[1])], log)
    } catch (error) {
      await closeStepLog(log)
      throw error
    }
  }

  close(): Promise<void> {
    return closeStepLog(this.#log)
  }

  /** At most `count` lines from a place on. */
  async forward(from: Position, count: number): Promise<LogWindow> {
    const queues = this.#streams.map(stream => ({
      stream,
      at: Math.max(from[stream.name], stream.begin),
      lines: [] as Line[],
      i: 0,
    }))
    const lines: Line[] = []
    let bytes = 0
    while (lines.length < count && bytes < STREAM_READ_BYTES) {
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
    while (lines.length < count && bytes < STREAM_READ_BYTES) {
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
      at: Math.max(from[stream.name], stream.begin),
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

  /** All bytes of a line, its label and newline too, however long it is. */
  async *bytes(line: Pick<Line, 'stream' | 'at' | 'next'>): AsyncGenerator<Buffer> {
    const stream = this.#streams[line.stream === 'out' ? 0 : 1]
    for (let at = line.at; at < line.next;) {
      const piece = await stream.read(at, line.next - at)
      if (piece.length === 0) return
      yield piece
      at += piece.length
    }
  }

  /** The number of the line at a place, from 1; undefined if the place is too far from the beginning to count. */
  async numberAt(place: Position): Promise<number | undefined> {
    if (place.out + place.err > COUNTED) return undefined
    const [out, err] = this.#streams
    if (out.begin + err.begin > 0) return undefined
    return 1 + (await out.count(place.out)) + (await err.count(place.err))
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
    const [out, err] = this.#streams
    const first = from.out <= out.begin && from.err <= err.begin
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
