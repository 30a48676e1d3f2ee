// Where an archive goes: to an open file, as it is while it is small, and otherwise through a compressor. To start one takes
// longer than to write a small archive, and readers recognise what they get by its content.

import type { ChildProcess } from 'node:child_process'
import { writeSync } from 'node:fs'

import { isErrno } from '../base/errno.ts'
import { lasting, notStarted, quote, temporary } from '../base/exit.ts'
import { failureOf, start } from '../system/run.ts'

/** So many bytes at most are written as they are. */
export const PLAIN_MAX = 512 * 1024

/** Bytes that are handed on at a time. */
const OUTPUT_BYTES = 256 * 1024

/** Room at first: most archives of steps, and many of code, need no more. */
const FIRST_BYTES = 32 * 1024

export class Output {
  readonly #fd: number
  readonly #compressor: readonly string[]
  readonly #signal: AbortSignal | undefined
  readonly #max: number
  #buffer = Buffer.allocUnsafeSlow(FIRST_BYTES)
  /** Buffers that the compressor has taken: a new one costs a page fault for every 4 kB, and V8 a collection now and then. */
  readonly #spare: Buffer<ArrayBuffer>[] = []
  #filled = 0
  #total = 0
  #child: ChildProcess | undefined
  /** Resolves when the compressor has ended well. */
  #ended: Promise<void> | undefined
  /** True if what does not fit into the buffer goes to the file as it is. */
  #isPlain: boolean
  /** Resolves when the compressor has taken what it was given. */
  #taken: Promise<void> = Promise.resolve()
  #failed = false

  /**
   * `compressor` is a command and its arguments, which reads standard input and writes standard output. More than `max`
   * bytes before compression throw TooLarge. An aborted `signal` kills the compressor.
   */
  constructor(fd: number, compressor: readonly string[], max: number, signal?: AbortSignal) {
    this.#fd = fd
    this.#compressor = compressor
    this.#max = max
    this.#signal = signal
    this.#isPlain = compressor.join(' ') === 'cat'
  }

  /** Takes the next bytes, which may change afterwards. More are welcome when a promise is resolved. */
  write(bytes: Buffer): void | Promise<void> {
    if (this.#failed) throw new Error('the compressor has failed')
    this.#total += bytes.length
    if (this.#total > this.#max) throw new TooLarge(this.#max)
    for (let at = 0; at < bytes.length;) {
      const length = bytes.copy(this.#buffer, this.#filled, at)
      at += length
      this.#filled += length
      if (this.#filled === this.#buffer.length && !this.#grow()) this.#flush()
    }
    return this.#child ? this.#taken : undefined
  }

  /** Ends the file. Throws Fatal if the compressor fails. */
  async close(): Promise<void> {
    if (this.#filled > 0) {
      if (this.#child) this.#flush()
      else this.#writeAll()
    }
    this.#child?.stdin!.end()
    await this.#ended
  }

  /** Ends what runs, after an error. Returns that, or what the compressor had failed of before. */
  async destroy(error: unknown): Promise<unknown> {
    const failed = this.#failed
    this.#failed = true
    this.#child?.kill('SIGKILL')
    try {
      await this.#ended
    } catch (why) {
      return failed ? why : error
    }
    return error
  }

  /** Makes room for more, until it is known that the archive is not small. */
  #grow(): boolean {
    if (this.#child || this.#filled === PLAIN_MAX) return false
    const larger = Buffer.allocUnsafeSlow(Math.min(4 * this.#filled, PLAIN_MAX))
    this.#buffer.copy(larger)
    this.#buffer = larger
    return true
  }

  #flush(): void {
    if (this.#isPlain) {
      this.#writeAll()
      return
    }
    const { stdin } = (this.#child ??= this.#start())
    const full = this.#buffer
    const bytes = full.subarray(0, this.#filled)
    this.#buffer = this.#spare.pop() ?? Buffer.allocUnsafeSlow(OUTPUT_BYTES)
    this.#filled = 0
    this.#taken = new Promise(done => {
      // It is called after an error as well.
      stdin!.write(bytes, () => {
        if (full.length === OUTPUT_BYTES) this.#spare.push(full)
        done()
      })
    })
  }

  #writeAll(): void {
    for (let at = 0; at < this.#filled;) at += writeSync(this.#fd, this.#buffer, at, this.#filled - at)
    this.#filled = 0
  }

  #start(): ChildProcess {
    const child = start(this.#compressor, { stdio: ['pipe', this.#fd, 'pipe'], signal: this.#signal })
    let complaint = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (complaint.length < 10_000) complaint += text
    })
    // Its exit code says more.
    child.stdin.on('error', () => undefined)
    this.#ended = new Promise((resolve, reject) => {
      const fail = (error: unknown) => {
        this.#failed = true
        reject(error instanceof Error ? error : new Error(String(error)))
      }
      child.on('error', error => {
        const program = this.#compressor[0]!
        if (isErrno(error, 'ENOENT')) fail(lasting(`run ${quote(program)}`, 'no such program'))
        else fail(isErrno(error, 'EACCES') ? notStarted(program, error) : error)
      })
      child.on('close', (code, signal) => {
        // Of a pipeline in a shell only the last program says whether it failed, and that ends well when the first one dies.
        const unread = !child.stdin.writableFinished
        if (code === 0 && !unread) return resolve()
        const stderr = complaint || (code === 0 ? 'it ended before it had read everything' : '')
        const why = failureOf({ code, signal, stderr })
        fail(temporary(`compress with ${quote(this.#compressor.join(' '))}`, why))
      })
    })
    this.#ended.catch(() => undefined)
    return child
  }
}

/** An archive would have more bytes than it may. */
export class TooLarge extends Error {
  constructor(max: number) {
    super(`it has more than the ${max} bytes that BUNDLE_MAX allows`)
  }
}
