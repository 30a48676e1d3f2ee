// One stream of a step becomes one file of its log: secrets hidden, every line labelled with the instant at which its
// first byte was read, and written as it comes, whether the line is complete or not.
//
// Memory stays flat: while one write is under way at most one more is gathered, then the pipe is not read until the file
// has taken it. So a log that cannot be written makes the step wait, and loses nothing.

import { write, writeSync } from 'node:fs'
import { Socket } from 'node:net'
import type { OnReadOpts } from 'node:net'
import { promisify } from 'node:util'

import { now } from '../../lib/base/tai64n.ts'
import { trace } from '../../lib/system/trace.ts'
import { Masker } from './mask.ts'
import { patiently } from './patience.ts'
import { PIPE_BYTES } from './places/buffers.ts'
import type { BufferPool, Buffers } from './places/buffers.ts'

const writeAsync = promisify(write)

/** How many more bytes the logs of a step may take, both streams together. */
export interface Budget {
  left: number
  /** The text that marks where a log is cut. */
  readonly notice: string
}

export interface LogOptions {
  readonly path: string
  readonly secrets: readonly string[]
  readonly budget: Budget
  readonly buffers: BufferPool
  /** True if writing it can take for ever: then a thread does that. */
  readonly canHang: boolean
  /** Something was read, or could be written again. */
  readonly heard: () => void
  /** Sees what is shown, without labels. */
  readonly tee?: (bytes: Buffer) => void
  /** From here on an error of the file ends the log instead of being waited out. */
  readonly stop: AbortSignal
}

export class LogWriter {
  /** Resolves when the stream is over and all of it is written; fails when the file cannot be written. */
  readonly ended: Promise<void>
  /** True once every writer has closed the pipe. */
  drained = false
  readonly #file: number
  readonly #options: LogOptions
  readonly #socket: Socket
  readonly #masker: Masker
  readonly #buffers: Buffers
  #gathered = 0
  #atLineStart = true
  #cut = false
  #begun = false
  #flight: Promise<void> | undefined
  #failed: ((error: unknown) => void) | undefined

  /** Reads the pipe `reader`, which is ours from here on, into the open file `file`. */
  constructor(reader: number, file: number, options: LogOptions) {
    this.#file = file
    this.#options = options
    this.#buffers = options.buffers.take()
    this.#masker = new Masker(options.secrets)
    const onread: OnReadOpts = { buffer: this.#buffers.input, callback: length => this.#read(length) }
    const pipe = { fd: reader, readable: true, writable: false, onread }
    this.#socket = new Socket(pipe)
    this.#socket.on('end', () => (this.drained = true))
    this.ended = new Promise((done, failed) => {
      this.#failed = failed
      // Whatever ends the reading of a pipe, it is over, and what was read until then counts.
      this.#socket.on('error', () => undefined)
      this.#socket.on('close', () => {
        this.#show(this.#masker.end())
        this.#land()
          .then(() => options.buffers.give(this.#buffers))
          .then(done, failed)
      })
    })
    // It is awaited at the end of the step, which may be long after.
    this.ended.catch(() => undefined)
  }

  /** True while the file is being written. */
  get writing(): boolean {
    return this.#flight !== undefined
  }

  /** Reads no further. */
  close(): void {
    this.#socket.destroy()
  }

  /** Returns whether to go on reading. */
  #read(length: number): boolean {
    this.#options.heard()
    this.#show(this.#masker.push(this.#buffers.input.subarray(0, length)))
    return this.#gathered < PIPE_BYTES || !this.writing
  }

  #show(bytes: Buffer): void {
    if (bytes.length === 0) return
    this.#options.tee?.(bytes)
    if (this.#cut) return
    this.#gather(this.#label(bytes))
    this.#launch()
  }

  /** Text in which each character is a byte: to split and join it is the fastest way through Node. */
  #label(bytes: Buffer): string {
    const label = now() + ' '
    const lines = bytes.toString('latin1')
    const complete = lines.endsWith('\n')
    const labelled = (complete ? lines.slice(0, -1) : lines).split('\n').join('\n' + label)
    const begun = this.#atLineStart ? label : ''
    this.#atLineStart = complete
    return begun + labelled + (complete ? '\n' : '')
  }

  #gather(text: string): void {
    const { budget } = this.#options
    if (text.length > budget.left) {
      this.#cut = true
      const shown = text.slice(0, budget.left)
      const broken = shown.length > 0 && !shown.endsWith('\n')
      text = `${shown}${broken ? '\n' : ''}${now()} ${budget.notice}\n`
      budget.left = 0
    } else budget.left -= text.length
    const needed = this.#gathered + text.length
    if (needed > this.#buffers.gathering.length) {
      const larger = Buffer.allocUnsafeSlow(2 * needed)
      this.#buffers.gathering.copy(larger, 0, 0, this.#gathered)
      this.#buffers.gathering = larger
    }
    this.#gathered += this.#buffers.gathering.write(text, this.#gathered, 'latin1')
  }

  #launch(): void {
    if (this.#flight || this.#gathered === 0) return
    const [full, length] = [this.#buffers.gathering, this.#gathered]
    this.#buffers.gathering = this.#buffers.flying
    this.#buffers.flying = full
    this.#gathered = 0
    this.#flight = this.#write(full, length).then(
      () => {
        this.#flight = undefined
        if (!this.#begun) trace('first line', this.#options.path)
        this.#begun = true
        this.#options.heard()
        this.#launch()
        this.#socket.resume()
      },
      (error: unknown) => {
        this.#flight = undefined
        this.#cut = true
        this.#failed?.(error)
        this.close()
      },
    )
  }

  async #write(bytes: Buffer, length: number): Promise<void> {
    const { path, stop, canHang } = this.#options
    // A thread would have the first line wait for a processor.
    const atOnce = !this.#begun && !canHang
    for (let at = 0; at < length;) {
      const rest = () =>
        atOnce
          ? writeSync(this.#file, bytes, at, length - at)
          : writeAsync(this.#file, bytes, at, length - at, null).then(({ bytesWritten }) => bytesWritten)
      at += await patiently('write', path, rest, stop)
    }
  }

  /** Resolves when nothing is left to be written. */
  async #land(): Promise<void> {
    while (this.#flight) await this.#flight
  }
}
