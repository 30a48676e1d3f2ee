// The pipes for the output of a step. Node itself would give it sockets, which `/dev/stdout` and `/dev/stderr` cannot
// open; so they are named pipes whose names are gone before the step begins. A pipe that every writer has closed is
// empty and serves the next step.

import { chmodSync, closeSync, constants, existsSync, openSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'

import { ignoringENOENT } from '../../../lib/base/errno.ts'
import { temporary, quote } from '../../../lib/base/exit.ts'
import { failureOf, run } from '../../../lib/system/run.ts'

const { O_RDONLY, O_WRONLY, O_NONBLOCK } = constants

/** The mode lets a step that runs as another user open its own output again; there is no name to be found by. */
const MODE = 0o622

class Pipe {
  /** Keeps the pipe; nothing is read from here. */
  readonly #kept: number
  readonly #path: string

  constructor(path: string) {
    this.#kept = openSync(path, O_RDONLY | O_NONBLOCK)
    const nameless = `/proc/self/fd/${this.#kept}`
    const hasProc = existsSync(nameless)
    this.#path = hasProc ? nameless : path
    if (hasProc) ignoringENOENT(() => unlinkSync(path))
  }

  /** Opens both ends; the caller closes them. */
  open(): { reader: number; writer: number } {
    const reader = openSync(this.#path, O_RDONLY | O_NONBLOCK)
    return { reader, writer: openSync(this.#path, O_WRONLY) }
  }

  close(): void {
    closeSync(this.#kept)
  }
}

export type Pipes = readonly [stdout: Pipe, stderr: Pipe]

/** Opens named pipes as long as they have names. */
export type Opener = (paths: readonly string[]) => Promise<void>

export class PipePool {
  readonly #spare: Pipes[] = []
  #made = 0
  readonly #mkfifo: readonly string[]

  /** The command that makes named pipes may be one that we brought with us. */
  constructor(mkfifo: readonly string[] = ['mkfifo']) {
    this.#mkfifo = mkfifo
  }

  /** Pipes for one step; `directory` is on a local file system. */
  async take(directory: string): Promise<Pipes> {
    return this.#spare.pop() ?? (await this.make(directory))
  }

  /** Makes pipes that no other has, for `opener` to open as well; whoever asks for them closes them. */
  async make(directory: string, opener?: Opener): Promise<Pipes> {
    // Where there is no /proc the names stay, so each pair has its own.
    const paths = ['stdout', 'stderr'].map(name => join(directory, `.${name}-${++this.#made}`))
    try {
      const made = await run([...this.#mkfifo, ...paths])
      if (made.code !== 0) throw new Error(failureOf(made))
      // mkfifo could set it only where there is a /proc.
      for (const path of paths) chmodSync(path, MODE)
    } catch (error) {
      throw temporary(`make pipes in ${quote(directory)}`, error)
    }
    await opener?.(paths)
    return [new Pipe(paths[0]!), new Pipe(paths[1]!)]
  }

  /** Takes pipes back; `drained` if everyone else has closed them and all was read. */
  give(pipes: Pipes, drained: boolean): void {
    if (drained) this.#spare.push(pipes)
    else for (const pipe of pipes) pipe.close()
  }
}
