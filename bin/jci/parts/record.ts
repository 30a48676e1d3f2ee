// `run.output.txt`: what a run says, after a header and before a footer. It goes to the terminal as well.

import { closeSync, constants, copyFileSync, fstatSync, lstatSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'

import { ignoringENOENT } from '../../../lib/base/errno.ts'
import { formatSeconds } from '../../../lib/base/text.ts'
import { remove } from '../../../lib/system/durable.ts'

export class Record {
  readonly #path: string
  readonly #fd: number
  readonly #begun = Date.now()

  /** `lines` stand in the header. */
  constructor(output: string, lines: readonly string[]) {
    this.#path = join(output, 'run.output.txt')
    this.#fd = openSync(this.#path, 'wx')
    const started = `started: ${new Date(this.#begun).toISOString()}`
    this.#write(Buffer.from([...lines, started, RULE, ''].join('\n')))
  }

  add(bytes: Uint8Array): void {
    this.#write(bytes)
    process.stdout.write(bytes)
  }

  /** `result` is the last line: `ok`, `err (exit 3)`. */
  end(result: string): void {
    const now = Date.now()
    const ended = `ended: ${new Date(now).toISOString()}`
    const duration = `duration: ${formatSeconds((now - this.#begun) / 1000)}`
    this.#write(Buffer.from([RULE, ended, duration, `result: ${result}`, ''].join('\n')))
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

  #write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) at += writeSync(this.#fd, bytes, at)
  }
}

const RULE = '-'.repeat(72)
