// The place of steps in a sandbox of bubblewrap: a read-only system, a /tmp and /dev of their own, and where that is wanted
// no network. Whatever a step started ends with it.

import { readFileSync } from 'node:fs'
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

/** What bwrap is told. Pure. */
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
  readonly #options: SandboxOptions
  #init: number | undefined

  constructor(options: SandboxOptions) {
    this.#options = options
  }

  /** The user comes first: in the sandbox there is nobody else to become. */
  enter(directory: string, user: readonly string[]): string[] {
    return [...user, ...sandboxFlags(this.#options, directory)]
  }

  entered(): void {
    this.#init = undefined
  }

  signal(spawned: number, name: NodeJS.Signals): void {
    const init = this.#find(spawned)
    // It leads the group of the step, and ignores what does not kill.
    if (init !== undefined) signal(-init, name)
  }

  #find(spawned: number): number | undefined {
    const read = () => readFileSync(`/proc/${spawned}/task/${spawned}/children`, 'latin1')
    const [child] = tolerating(['ENOENT', 'ESRCH'], read)?.split(' ').filter(Boolean) ?? []
    return (this.#init ??= child === undefined ? undefined : Number(child))
  }

  /** When its first process is dead the kernel has ended all others. */
  async clear(spawned: number): Promise<void> {
    const init = this.#find(spawned)
    if (init === undefined) return
    signal(init, 'SIGKILL')
    for (let tries = 0; tries < 1000 && isAlive(init); tries++) await sleep(5)
  }

  async leave(spawned: number): Promise<void> {
    await this.clear(spawned)
  }
}

const isAlive = (pid: number): boolean =>
  tolerating(['ENOENT', 'ESRCH'], () => !/\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))) === true
