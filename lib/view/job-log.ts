// The log of a step for people: both streams merged in time order by their labels. It is read in pieces: a
// log may have gigabytes.

import { closeSync, fstatSync, readSync } from 'node:fs'
import { join } from 'node:path'

import { LABEL_LENGTH, parseLabel } from '../base/tai64n.ts'
import { openPlainSync } from '../system/plain.ts'

const STREAMS = ['stdout', 'stderr'] as const
type StreamName = (typeof STREAMS)[number]

export interface LogLine {
  readonly stream: StreamName
  /** The label as it stands there; empty for a line that has none. */
  readonly label: string
  readonly text: string
}

/** When a line was written, in milliseconds since 1970; null if its label does not say. */
export const timeOfLine = (line: LogLine): number | null => parseLabel(line.label) ?? null

const CHUNK = 1 << 16
/** A line longer than this is handed out in parts. */
const LONGEST = 1 << 20

/** Reads what is added to one labelled file. It is opened for each look, so that an NFS client asks its server. */
class Tail {
  readonly #path: string
  readonly #stream: StreamName
  readonly #bytes: number
  #offset = -1
  #rest: Buffer = Buffer.alloc(0)

  /** Begins so many bytes before the end. */
  constructor(path: string, stream: StreamName, bytes: number) {
    this.#path = path
    this.#stream = stream
    this.#bytes = bytes
  }

  /** The lines that are new and whole; where `all`, the last one even if it lacks its line feed. */
  *read(all: boolean): Generator<LogLine> {
    // A step can put anything in the place of its log.
    const fd = openPlainSync(this.#path)
    if (fd === undefined) return
    let cut = false
    try {
      if (this.#offset < 0) {
        this.#offset = Math.max(0, fstatSync(fd).size - this.#bytes)
        cut = this.#offset > 0
      }
      for (;;) {
        const chunk = Buffer.alloc(CHUNK)
        const size = readSync(fd, chunk, 0, CHUNK, this.#offset)
        if (size === 0) break
        this.#offset += size
        const start = cut ? chunk.indexOf(10) + 1 : 0
        cut &&= start === 0
        if (!cut) yield* this.#split(chunk.subarray(start, size))
      }
    } finally {
      closeSync(fd)
    }
    if (all && this.#rest.length > 0) yield this.#take(this.#rest, Buffer.alloc(0))
  }

  *#split(chunk: Buffer): Generator<LogLine> {
    let text = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk
    for (let end = text.indexOf(10); end >= 0; end = text.indexOf(10)) {
      const line = text.subarray(0, end)
      text = text.subarray(end + 1)
      yield this.#take(line, text)
    }
    if (text.length >= LONGEST) yield this.#take(text, Buffer.alloc(0))
    else this.#rest = text
  }

  #take(line: Buffer, rest: Buffer): LogLine {
    this.#rest = rest
    const label = line.toString('latin1', 0, LABEL_LENGTH)
    const labelled = parseLabel(label) !== undefined
    return {
      stream: this.#stream,
      label: labelled ? label : '',
      text: line.toString('utf8', labelled ? LABEL_LENGTH + 1 : 0),
    }
  }
}

/** The log of one step as far as it is written; each read returns the lines that are new. */
export class MergedLog {
  readonly #tails: readonly Tail[]

  /** `step` is the directory of the step in its job; `bytes` says how much of the end of each stream is read. */
  constructor(step: string, bytes = Infinity) {
    this.#tails = STREAMS.map(stream => new Tail(join(step, `${stream}.txt`), stream, bytes))
  }

  /** The new lines of both streams, in time order. `all`: the step is over, so an unfinished line will not be finished. */
  read(all: boolean): Generator<LogLine> {
    return merge(this.#tails.map(tail => tail.read(all)))
  }
}

/** Merges what is sorted by label; a line without one stays behind the line before it. */
function* merge(sources: readonly Generator<LogLine>[]): Generator<LogLine> {
  const heads = sources.map(source => source.next())
  for (;;) {
    let first = -1
    for (const [i, head] of heads.entries()) {
      if (head.done) continue
      const best = heads[first]
      if (best === undefined || best.done || head.value.label < best.value.label) first = i
    }
    const head = heads[first]
    if (head === undefined || head.done) return
    yield head.value
    heads[first] = sources[first]!.next()
  }
}

/** The last `count` lines that a step wrote, as far as they are in the last 64 KiB of a stream. */
export const lastLines = (step: string, count: number): LogLine[] =>
  [...new MergedLog(step, CHUNK).read(true)].slice(-count)
