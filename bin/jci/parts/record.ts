// `run.output.txt`: what a run says, after a header and before a footer. It goes to the terminal as well.

import {
  closeSync,
  constants,
  copyFileSync,
  fstatSync,
  lstatSync,
  openSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'

import { ignoringENOENT, reasonOf } from '../../../lib/base/errno.ts'
import { formatSeconds } from '../../../lib/base/text.ts'
import type { RunStatus } from '../../../lib/jci/run-ref.ts'
import { remove } from '../../../lib/system/remove.ts'

export class Record {
  readonly #path: string
  readonly #fd: number
  readonly #begun = Date.now()
  /** Why no more could be written, as where the disk is full. */
  #failure: unknown

  /** `lines` stand in the header. */
  constructor(output: string, lines: readonly string[]) {
    this.#path = join(output, RECORD)
    this.#fd = openSync(this.#path, 'wx')
    const started = `started: ${new Date(this.#begun).toISOString()}`
    this.#write(Buffer.from([...lines, started, RULE, ''].join('\n')))
  }

  /** Never throws: what a run says may come at any time. */
  add(bytes: Uint8Array): void {
    process.stdout.write(bytes)
    this.#tryToWrite(bytes)
  }

  /** Why not all that was said is in the record; undefined if it is. */
  get failure(): string | undefined {
    return this.#failure === undefined ? undefined : reasonOf(this.#failure)
  }

  /** `result` is the last line: `ok`, `err (exit 3)`. */
  end(result: string): void {
    const now = Date.now()
    const ended = `ended: ${new Date(now).toISOString()}`
    const duration = `duration: ${formatSeconds((now - this.#begun) / 1000)}`
    this.#tryToWrite(Buffer.from([RULE, ended, duration, `result: ${result}`, ''].join('\n')))
    this.#putBack()
    closeSync(this.#fd)
  }

  /** The script may have removed the file, or put another in its place. */
  #putBack(): void {
    const there = ignoringENOENT(() => lstatSync(this.#path))
    if (there?.ino === fstatSync(this.#fd).ino) return
    remove(this.#path)
    copyFileSync(`/proc/self/fd/${this.#fd}`, this.#path, constants.COPYFILE_EXCL)
  }

  #tryToWrite(bytes: Uint8Array): void {
    if (this.#failure !== undefined) return
    try {
      this.#write(bytes)
    } catch (error) {
      this.#failure = error
    }
  }

  #write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) at += writeSync(this.#fd, bytes, at)
  }
}

const RECORD = 'run.output.txt'
const RULE = '-'.repeat(72)

/** Writes `status.txt`. The script may have put anything there. */
export function writeStatus(output: string, status: RunStatus): void {
  const path = join(output, 'status.txt')
  remove(path)
  writeFileSync(path, `${status}\n`, { flag: 'wx' })
}

/** Puts the last line behind the record of a run whose owner is gone. The script may have put anything in its place. */
export function endRunRecord(output: string, result: string): void {
  const path = join(output, RECORD)
  if (ignoringENOENT(() => lstatSync(path))?.isFile() === false) remove(path)
  const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW } = constants
  writeFileSync(path, `\nresult: ${result}\n`, { flag: O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW } as object)
}
