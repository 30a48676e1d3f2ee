// The place of steps in a sandbox of bubblewrap: a read-only system, a /tmp and /dev of their own, and where that is wanted
// no network. Whatever a step started ends with it.

import { readFileSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'

import { tolerating } from '../../../lib/base/errno.ts'
import type { Cage } from './cage.ts'
import { LocalProcess } from './local-process.ts'
import type { Place, StepCommand, StepProcess } from './place.ts'
import { signal } from './processes.ts'

export interface SandboxOptions {
  /** The directories that steps may write. */
  readonly writable: readonly string[]
  readonly network: boolean
}

export class SandboxPlace implements Place {
  readonly #options: SandboxOptions

  constructor(options: SandboxOptions) {
    this.#options = options
  }

  async start(step: StepCommand): Promise<StepProcess> {
    return Promise.resolve(new LocalProcess(new SandboxCage(this.#options), step))
  }

  async close(): Promise<void> {
    return Promise.resolve()
  }
}

/** The arguments of bwrap. Pure. */
export function sandboxFlags({ writable, network }: SandboxOptions, directory: string): string[] {
  return [
    ...['bwrap', '--unshare-all', ...(network ? ['--share-net'] : []), '--die-with-parent', '--new-session'],
    ...['--ro-bind', '/', '/', '--dev', '/dev', '--proc', '/proc'],
    // Where programs of this machine keep their sockets.
    ...['/tmp', '/var/tmp', '/run'].flatMap(path => ['--tmpfs', path]),
    ...writable.flatMap(path => ['--bind', path, path]),
    ...['--chdir', directory, '--'],
  ]
}

class SandboxCage implements Cage {
  readonly tells = true
  readonly #options: SandboxOptions
  #init: number | undefined
  #found: Promise<void> = Promise.resolve()

  constructor(options: SandboxOptions) {
    this.#options = options
  }

  /** The user comes first: in the sandbox there is nobody else to become. */
  enter(directory: string, user: readonly string[]): string[] {
    const [bwrap, ...flags] = sandboxFlags(this.#options, directory)
    return [...user, bwrap!, '--info-fd', '3', ...flags]
  }

  /** Reads which process is the first in the sandbox. A look at the children of bwrap comes too late for a short step. */
  entered(_spawned: number, told: Readable | undefined): void {
    this.#found = new Promise(found => {
      let said = ''
      told?.setEncoding('latin1').on('data', (text: string) => {
        said += text
        const [, init] = /"child-pid": *(\d+)\D/.exec(said) ?? []
        if (init === undefined) return
        this.#init = Number(init)
        found()
      })
      told?.on('error', () => found()).on('close', () => found())
    })
  }

  signal(_: number, name: NodeJS.Signals): void {
    // It leads the group of the step, and ignores what does not kill.
    if (this.#init !== undefined) signal(-this.#init, name)
  }

  async clear(): Promise<void> {
    await this.#found
    if (this.#init !== undefined) signal(this.#init, 'SIGKILL')
    await this.leave()
  }

  /**
   * Waits until the first process is dead: the kernel has ended all others then. It dies with bwrap, but not before it:
   * what a step left may run on for a moment after bwrap has ended.
   */
  async leave(): Promise<void> {
    await this.#found
    const init = this.#init
    for (let tries = 0; init !== undefined && tries < 1000 && isAlive(init); tries++) await sleep(5)
  }
}

const isAlive = (pid: number): boolean =>
  tolerating(['ENOENT', 'ESRCH'], () => !/\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))) === true
