// How a job says that it runs: it writes a line into a named pipe, which costs it an open and a write, whoever runs it.

import { execFileSync } from 'node:child_process'
import { constants, openSync } from 'node:fs'
import { Socket } from 'node:net'
import { createInterface } from 'node:readline'

export interface Ring {
  /** By our monotonic clock, in milliseconds. */
  readonly at: number
  readonly line: string
}

export class Bell {
  readonly path: string
  readonly #socket: Socket
  readonly #rung: Ring[] = []
  #wake: (() => void) | undefined

  constructor(path: string) {
    this.path = path
    execFileSync('mkfifo', ['-m', '666', path])
    // Open for writing as well, it never ends.
    this.#socket = new Socket({
      fd: openSync(path, constants.O_RDWR | constants.O_NONBLOCK),
      writable: false,
    })
    createInterface({ input: this.#socket }).on('line', line => {
      this.#rung.push({ at: performance.now(), line })
      this.#wake?.()
    })
  }

  /** The next ring, or the first one that nobody has asked for. */
  async next(seconds = 60): Promise<Ring> {
    const end = performance.now() + seconds * 1000
    for (;;) {
      const ring = this.#rung.shift()
      if (ring) return ring
      if (performance.now() > end) throw new Error(`no job rang within ${seconds} s`)
      await new Promise<void>(done => {
        const timer = setTimeout(done, 1000)
        this.#wake = () => {
          clearTimeout(timer)
          done()
        }
      })
    }
  }

  close(): void {
    this.#socket.destroy()
  }
}
