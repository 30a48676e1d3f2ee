// The log of a step for people: both streams merged in time order by their labels. It is read in pieces: a
// log may have gigabytes.

import { join } from 'node:path'

import { LABEL_LENGTH, parseLabel } from '../base/tai64n.ts'
import { closeStepLog, fileBytes, openStepLog } from './bytes.ts'
import type { Bytes, StepLog } from './bytes.ts'

type StreamName = 'stdout' | 'stderr'

export interface LogLine {
  readonly stream: StreamName
  /** The label as it stands there; empty for a line that has none. */
  readonly label: string
  readonly text: string
}

/** When a line was written, in milliseconds since 1970; null if its label does not say. */
export const timeOfLine = (line: LogLine): number | null => parseLabel(line.label) ?? null

const LOG_CHUNK_BYTES = 1 << 16
/** A line longer than this is handed out in parts. */
const LINE_BYTES_MAX = 1 << 20

/** Reads the lines that are added to one labelled stream. */
class Tail {
  readonly #stream: StreamName
  readonly #bytes: number
  #offset = -1
  #rest: Buffer = Buffer.alloc(0)
  /** True until the first line feed, where it began inside a line. */
  #cut = false
  /** Lines that were read and not taken, and which of them is next. */
  #lines: LogLine[] = []
  #next = 0

  /** Begins so many bytes before the end. */
  constructor(stream: StreamName, bytes: number) {
    this.#stream = stream
    this.#bytes = bytes
  }

  /** The next line; undefined if none is read. */
  get head(): LogLine | undefined {
    return this.#lines[this.#next]
  }

  take(): void {
    this.#next++
  }

  /** Reads until there is a next line, or nothing more; where `all`, the last line counts even if it lacks its line feed. */
  async fill(bytes: Bytes | undefined, all: boolean): Promise<void> {
    if (this.head) return
    this.#lines = []
    this.#next = 0
    const [begin, size] = [bytes?.begin ?? 0, bytes?.size ?? 0]
    if (bytes && this.#offset < 0) {
      this.#offset = Math.max(begin, size - this.#bytes)
      this.#cut = this.#offset > begin
    }
    // A log that was not kept until we came is gone.
    if (this.#offset < begin) this.#offset = begin
    while (bytes && this.#lines.length === 0) {
      const chunk = await bytes.read(this.#offset, LOG_CHUNK_BYTES)
      if (chunk.length === 0) break
      this.#offset += chunk.length
      const start = this.#cut ? chunk.indexOf(10) + 1 : 0
      this.#cut &&= start === 0
      if (!this.#cut) this.#split(chunk.subarray(start))
    }
    if (all && this.#lines.length === 0 && this.#rest.length > 0) {
      this.#lines.push(this.#line(this.#rest))
      this.#rest = Buffer.alloc(0)
    }
  }

  #split(chunk: Buffer): void {
    const text = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk
    let start = 0
    for (let end = text.indexOf(10); end >= 0; end = text.indexOf(10, start)) {
      this.#lines.push(this.#line(text.subarray(start, end)))
      start = end + 1
    }
    this.#rest = text.subarray(start)
    if (this.#rest.length < LINE_BYTES_MAX) return
    this.#lines.push(this.#line(this.#rest))
    this.#rest = Buffer.alloc(0)
  }

  #line(line: Buffer): LogLine {
    const label = line.toString('latin1', 0, LABEL_LENGTH)
    const labelled = parseLabel(label) !== undefined
    return {
      stream: this.#stream,
      label: labelled ? label : '',
      text: line.toString('utf8', labelled ? LABEL_LENGTH + 1 : 0),
    }
  }
}

function takeAll(tail: Tail): LogLine[] {
  const lines: LogLine[] = []
  for (let { head } = tail; head; head = tail.head) {
    lines.push(head)
    tail.take()
  }
  return lines
}

/** The log of one step as far as it is written; each read returns the lines that are new. */
export class MergedLog {
  readonly #open: () => Promise<StepLog>
  readonly #out: Tail
  readonly #err: Tail

  /** `open` is called for each read, so that an NFS client asks its server; `bytes` says how much of the end of each stream is read. */
  constructor(open: () => Promise<StepLog>, bytes = Infinity) {
    this.#open = open
    this.#out = new Tail('stdout', bytes)
    this.#err = new Tail('stderr', bytes)
  }

  /** The log of a step by its directory. */
  static of(step: string, bytes = Infinity): MergedLog {
    return new MergedLog(() => openStepLog(file => fileBytes(join(step, file))), bytes)
  }

  /**
   * The new lines of both streams, in the order of their labels; a line without one stays behind the line before it. `all`:
   * the step is over, so an unfinished line will not be finished.
   */
  async *read(all: boolean): AsyncGenerator<LogLine[]> {
    const log = await this.#open()
    const [out, err] = [this.#out, this.#err]
    try {
      for (;;) {
        await out.fill(log.out, all)
        await err.fill(log.err, all)
        const lines: LogLine[] = []
        // Until one has to be read again: then only it knows what is next.
        while (out.head && err.head) {
          const first = err.head.label < out.head.label ? err : out
          lines.push(first.head!)
          first.take()
        }
        if (lines.length > 0) {
          yield lines
          continue
        }
        const rest = takeAll(out.head ? out : err)
        if (rest.length === 0) return
        yield rest
      }
    } finally {
      await closeStepLog(log)
    }
  }
}

/** The last `count` lines that a step wrote, as far as they are in the last 64 KiB of a stream. */
export async function lastLines(step: string, count: number): Promise<LogLine[]> {
  const kept: LogLine[] = []
  for await (const lines of MergedLog.of(step, LOG_CHUNK_BYTES).read(true)) kept.push(...lines)
  return kept.slice(-count)
}
