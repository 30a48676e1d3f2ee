// The input of a command: what its client sends, in order and once, also where that comes back and sends some of it again.
// The client hears how much was taken, and is never far ahead of that: so a command that does not read costs no memory.

import { closeSync } from 'node:fs'
import { Socket } from 'node:net'

import { INPUT_AHEAD } from '../../lib/exec/protocol.ts'
import { INVALID, OUT_OF_RANGE, Refusal } from './refusal.ts'

export class CommandInput {
  #pipe: Socket | undefined
  #over = false
  /** What came before the command began. */
  #early: Buffer[] = []
  #arrived = 0
  #ended = false
  #taken = 0
  readonly #tell: () => void

  /** `tell` is called when more was taken. */
  constructor(tell: () => void) {
    this.#tell = tell
  }

  /** How many bytes the command was given; it may have read less. */
  get taken(): number {
    return this.#taken
  }

  /** Begins to give the command its input, through this open file. */
  open(fd: number): void {
    if (this.#over) {
      closeSync(fd)
      return
    }
    this.#pipe = new Socket({ fd, readable: false, writable: true })
    // The command reads no more: the rest goes nowhere.
    this.#pipe.on('error', () => undefined)
    for (const data of this.#early.splice(0)) this.#give(data)
    if (this.#ended) this.#pipe.end()
  }

  /** Takes a message of the client. Throws a Refusal if it does not fit what came before. */
  take({
    offset,
    data,
    end,
  }: {
    readonly offset: number
    readonly data: Buffer
    readonly end: boolean
  }): void {
    if (offset > this.#arrived) throw new Refusal(OUT_OF_RANGE, 'some of the input is missing')
    const fresh = data.subarray(this.#arrived - offset)
    if (fresh.length > 0) {
      if (this.#ended) throw new Refusal(INVALID, 'there is input behind its end')
      // As much again is on its way when its client hears how much was taken.
      if (this.#arrived + fresh.length > this.#taken + 2 * INPUT_AHEAD)
        throw new Refusal(INVALID, 'there is more input than the command takes')
      this.#arrived += fresh.length
      if (this.#pipe || this.#over) this.#give(fresh)
      else this.#early.push(fresh)
    }
    if (!end || this.#ended) return
    this.#ended = true
    this.#pipe?.end()
  }

  #give(data: Buffer): void {
    const given = () => {
      this.#taken += data.length
      this.#tell()
    }
    if (this.#pipe) this.#pipe.write(data, given)
    else given()
  }

  /** The command has ended, or reads nothing. */
  close(): void {
    this.#over = true
    this.#pipe?.destroy()
    for (const data of this.#early.splice(0)) this.#give(data)
  }
}
