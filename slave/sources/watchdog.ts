// Kills this very process when its time is over. A worker that is stopped (SIGSTOP), or hangs, hears nothing, and its steps would
// run on beside the next attempt at its job. What holds the steps ends them then, as after any other `kill -9`.

import type { ChildProcess } from 'node:child_process'
import type { Writable } from 'node:stream'

import { warnOnce } from '../../lib/system/log.ts'
import { start } from '../../lib/system/run.ts'
import type { Hold } from '../run/places/lines.ts'

/**
 * Reads how many seconds the process $1 has from now on, until nothing comes for so long. When its input ends, that process
 * has. A timeout of `read` is told from an end by a status of more than 128.
 */
const WATCHDOG = `
trap '' HUP INT TERM
left=$2
while read -r -t "$left" left; status=$?; [ $status -eq 0 ]; do :; done
[ $status -gt 128 ] || exit 0
kill -KILL "$1"
echo "worker: fatal: it was stopped, or hung: killed with its steps, before its job is given to another" >&2`

/** As good as for ever, in seconds. */
const FOREVER = 1e9

export class Watchdog {
  #dog: (ChildProcess & { readonly stdin: Writable }) | undefined

  /** Kills us in so many milliseconds, unless it is told something else before. */
  killIn(left: number): void {
    // `read -t 0` only looks whether there is something.
    this.#tell(Math.max(1, left) / 1000)
  }

  /** Lets us live. */
  rest(): void {
    if (this.#dog) this.#tell(FOREVER)
  }

  #tell(seconds: number): void {
    if (this.#dog) this.#dog.stdin.write(`${seconds.toFixed(3)}\n`)
    // It knows from the first: we may be stopped before another word.
    else this.#dog = this.#start(seconds)
  }

  #start(seconds: number) {
    // Node's pipe is a socket, for which bash would read a user's settings, as if it were called by rshd.
    const bash = ['bash', '--norc', '-c', WATCHDOG]
    const dog = start([...bash, 'watchdog', String(process.pid), seconds.toFixed(3)], {
      stdio: ['pipe', 'ignore', 'inherit'],
      detached: true,
      cwd: '/',
      env: { PATH: process.env['PATH'], LC_ALL: 'C' },
    })
    const gone = () => {
      if (this.#dog === dog) this.#dog = undefined
    }
    dog.on('error', error => warnOnce('watch over', 'this worker', error)).on('close', gone)
    dog.stdin.on('error', gone)
    // It keeps nobody from ending.
    dog.unref()
    ;(dog.stdin as Writable & Hold).unref()
    return dog
  }
}
