// The sshd that has started us. When our standard input ends, either our client has gone away, and sshd is still there, or
// sshd is gone because its connection is: then the client may come back by another one.

import { setTimeout as sleep } from 'node:timers/promises'

import { startOf } from '../../lib/system/process.ts'

/** How long it may take to end once it has closed our input, and how often to look, in milliseconds. */
const [TO_END_MS, LOOK_MS] = [100, 10]

class Sshd {
  readonly #pid: number
  readonly #start: string

  /** `pid`: who has run our command line. One that serves several connections is never gone, and nobody comes back to us. */
  constructor(pid: number) {
    this.#pid = pid
    this.#start = startOf(pid)
  }

  /** Resolves with true if it is gone. For when our input has ended. */
  async isGone(): Promise<boolean> {
    const began = performance.now()
    while (startOf(this.#pid) === this.#start) {
      if (performance.now() - began >= TO_END_MS) return false
      await sleep(LOOK_MS)
    }
    return true
  }
}

/** As the script that runs us over ssh says it. */
export const ourSshd = (): Sshd => new Sshd(Number(process.env['BASS_SSHD']))
