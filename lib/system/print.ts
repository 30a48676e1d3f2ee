// Standard output. To open Node's own takes a tenth of the start of a small program, which can do without.

import { fstatSync, writeSync } from 'node:fs'

import { tolerating } from '../base/errno.ts'
import { EXIT } from '../base/exit.ts'

/** Prints on standard output without opening it. For programs that say little. `failure` is as of `openOutput`. */
export function print(text: string, failure?: number): void {
  let rest = Buffer.from(text)
  try {
    while (rest.length > 0) rest = rest.subarray(writeSync(1, rest))
  } catch {
    // The stream is full or closed: Node waits in the first case and reports the second.
    openOutput(failure)
    process.stdout.write(rest)
  }
}

/** How wide the terminal is that standard output is; where it is none, lines are as long as they are. */
export const columns = () => (isDevice() && process.stdout.columns) || Infinity

/** False of what is no terminal for sure. To load `node:tty` takes a twelfth of a bare node. */
const isDevice = () => tolerating(['EBADF'], () => fstatSync(1).isCharacterDevice()) === true

let opened = false

/** To be called before standard output is used as a stream: what befalls it ends the program, with the exit code `failure`. */
export function openOutput(failure: number = EXIT.temporary): void {
  if (opened) return
  opened = true
  // A reader that has seen enough, as `head` does, is no error; what else befalls standard output is.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? EXIT.done : failure)
  })
}

/** From now on what befalls standard output ends nothing: there is work that must come to its end, also where nobody sees it. */
export function outliveOutput(): void {
  opened = true
  process.stdout.removeAllListeners('error').on('error', () => undefined)
}
