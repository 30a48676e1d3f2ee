// A line of a log, and its name: its stream and the byte it begins at, which never changes because logs only grow. Pure.

import { isLabel, LABEL_LENGTH } from '../../../lib/base/tai64n.ts'

/** Bytes of a line that are kept; windows leave out the rest, plain text never. */
export const LINE_MAX = 16 * 1024

const SPACE = 0x20

export type StreamName = 'out' | 'err'

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

/** The label at a place; empty if there is none. */
export function labelOf(bytes: Buffer, from = 0, to = bytes.length): string {
  const text = bytes.toString('latin1', from, Math.min(to, from + LABEL_LENGTH))
  return isLabel(text) ? text : ''
}
