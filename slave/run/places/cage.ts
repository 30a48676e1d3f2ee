import type { Readable } from 'node:stream'

/** Holds the processes of one step on this machine. */
export interface Cage {
  /** True if commands are spawned as their user: there may be no program that becomes one, nor is anything put before them. */
  readonly becomes?: boolean
  /** True if what `enter` puts before a command writes about itself to descriptor 3, which the command does not get. */
  readonly tells?: boolean
  /** Returns the prefix of a command that runs in here, in a directory; `user` is the prefix that makes it run as its user. */
  enter(directory: string, user: readonly string[]): string[]
  /** The command with `enter` before it was spawned as this process; `told` is what that writes about itself. */
  entered(spawned: number, told: Readable | undefined): void
  /** Sends a signal to the process group that the step leads. */
  signal(spawned: number, name: NodeJS.Signals): void
  /** Ends every process in it; resolves when they are gone. */
  clear(spawned: number): Promise<void>
  /** The step is over: nothing of it is left, and the cage is not used again by the caller. */
  leave(spawned: number): Promise<void>
}
