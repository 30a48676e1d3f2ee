// Holds output of a command that was read and has not arrived at its client: it is sent again to one that comes back.
// When much has gathered the command's output is not read, so that memory stays flat however slow the client is.

import type { TaskOutput } from '../../lib/exec/protocol.ts'

/** How much may be on its way, in bytes. */
const MUCH = 8 << 20

export class Outbox {
  #kept: TaskOutput[] = []
  #bytes = 0
  /** How many of those that are kept were sent to the client of now. */
  #sent = 0
  readonly #offsets: [number, number] = [0, 0]
  readonly #roomy: () => void

  /** `roomy` is called when there is room again. */
  constructor(roomy: () => void) {
    this.#roomy = roomy
  }

  get isFull(): boolean {
    return this.#bytes >= MUCH
  }

  push(stream: 1 | 2, data: Buffer): void {
    this.#kept.push({ stream, offset: this.#offsets[stream - 1]!, data })
    this.#offsets[stream - 1]! += data.length
    this.#bytes += data.length
  }

  /** The piece to send next. */
  next(): TaskOutput | undefined {
    const output = this.#kept[this.#sent]
    if (output) this.#sent++
    return output
  }

  /** All before these offsets has arrived. */
  arrived(stdout: number, stderr: number): void {
    const wasFull = this.isFull
    const isKept = ({ stream, offset, data }: TaskOutput) =>
      offset + data.length > (stream === 1 ? stdout : stderr)
    const gone = this.#kept.slice(0, this.#sent).filter(output => !isKept(output)).length
    this.#kept = this.#kept.filter(isKept)
    this.#sent = Math.max(0, this.#sent - gone)
    this.#bytes = this.#kept.reduce((sum, { data }) => sum + data.length, 0)
    if (wasFull && this.#bytes < MUCH) this.#roomy()
  }

  /** A client that comes back has all before these offsets, and gets the rest again. False if some of that is gone. */
  rewind(stdout: number, stderr: number): boolean {
    this.arrived(stdout, stderr)
    this.#sent = 0
    const missing = ([1, 2] as const).some(stream => {
      const from = stream === 1 ? stdout : stderr
      const first = this.#kept.find(output => output.stream === stream)
      return (first?.offset ?? this.#offsets[stream - 1]!) > from || from > this.#offsets[stream - 1]!
    })
    if (missing) return false
    this.#kept = this.#kept.map(output => {
      const from = (output.stream === 1 ? stdout : stderr) - output.offset
      return from > 0 ? { ...output, offset: output.offset + from, data: output.data.subarray(from) } : output
    })
    return true
  }
}
