// A pid namespace in which steps run. Nothing that a step starts can leave it, and when its first process ends, the
// kernel ends all others. That first process is a `cat` that reads from us and is never told anything: so the room is
// gone as soon as we are, however we ended.
//
// A room that a step leaves as empty as it found it serves the next one.

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'

import { tolerating } from '../../../lib/base/errno.ts'

/** A user other than root first needs a user namespace, in which he may make the others. */
const isRoot = () => process.getuid?.() === 0

/** Says a line when it is ready. Children it inherits are none of its business: with CHLD ignored the kernel reaps them. */
const FIRST_PROCESS = "trap '' CHLD; echo; exec cat >/dev/null"

export class Room {
  readonly #unshare: ChildProcess
  /** The first process, as it is seen from outside. */
  readonly #init: number
  readonly #mounts: string
  #open = true
  readonly #closed: Promise<void>

  private constructor(unshare: ChildProcess, init: number) {
    this.#unshare = unshare
    this.#init = init
    this.#mounts = this.#readMounts()
    this.#closed = new Promise(done =>
      unshare.on('exit', () => {
        this.#open = false
        done()
      }),
    )
    // A room that waits for the next job keeps no program from ending.
    unshare.unref()
    for (const end of [unshare.stdin, unshare.stdout]) (end as { unref?: () => void } | null)?.unref?.()
  }

  /** Opens a room; fails with what `unshare` says where it cannot make one. */
  static async open(): Promise<Room> {
    const user = isRoot() ? [] : ['--user', '--map-current-user']
    const unshare = spawn(
      'unshare',
      // Mounts of the host come in, those made inside stay inside.
      [
        ...user,
        '-p',
        '--fork',
        '--kill-child',
        '--propagation',
        'slave',
        '--mount-proc',
        'sh',
        '-c',
        FIRST_PROCESS,
      ],
      { stdio: 'pipe', detached: true, cwd: '/', env: { PATH: process.env['PATH'] } },
    )
    let said = ''
    unshare.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
    unshare.stdin.on('error', () => undefined)
    await new Promise<void>((ready, failed) => {
      unshare.stdout.once('data', () => ready())
      unshare.on('error', failed)
      unshare.on('close', () => failed(new Error(said.trim().split('\n')[0] || 'unshare failed')))
    })
    unshare.stderr.destroy()
    const init = childrenOf(unshare.pid!)?.[0]
    if (init === undefined) {
      unshare.kill('SIGKILL')
      throw new Error('/proc does not tell the children of a process')
    }
    return new Room(unshare, init)
  }

  /** What to put before a command, so that it runs in here, in `directory`, as the leader of a session of its own. */
  enter(directory: string): string[] {
    const user = isRoot() ? [] : ['--user', '--preserve-credentials']
    return ['nsenter', '-t', String(this.#init), ...user, '-p', '-m', `--wdns=${directory}`, 'setsid']
  }

  /** The command that was started with `enter`, as pid of the process group that it leads, seen from outside. */
  leader(entered: number): number | undefined {
    return childrenOf(entered)?.[0]
  }

  /** True until it is closed, by us or by whoever killed its first process. */
  get isOpen(): boolean {
    return this.#open
  }

  /** True if the step left no process and no mount behind. Orphans are children of the first process. */
  isClean(): boolean {
    return this.#open && childrenOf(this.#init)?.length === 0 && this.#readMounts() === this.#mounts
  }

  /** Ends everyone in the room; resolves when the last process is gone. */
  async close(): Promise<void> {
    if (this.#open) {
      // While it is dying it would look clean.
      this.#open = false
      this.#unshare.ref()
      tolerating(['ESRCH'], () => process.kill(this.#init, 'SIGKILL'))
    }
    await this.#closed
  }

  #readMounts(): string {
    return (
      tolerating(['ENOENT', 'EINVAL'], () => readFileSync(`/proc/${this.#init}/mountinfo`, 'latin1')) ?? ''
    )
  }
}

function childrenOf(pid: number): number[] | undefined {
  const text = tolerating(['ENOENT', 'ESRCH'], () =>
    readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1'),
  )
  return text?.split(' ').filter(Boolean).map(Number)
}

/** Rooms that stand empty, for the next step. */
export class Rooms {
  readonly #spare: Room[] = []

  async take(): Promise<Room> {
    for (let room = this.#spare.pop(); room; room = this.#spare.pop()) {
      // It was clean when it was left, and nothing can have begun in it since.
      if (room.isOpen) return room
    }
    return Room.open()
  }

  /** Takes a room back. One that is not as empty as it was found is closed. */
  async give(room: Room): Promise<void> {
    if (room.isClean()) this.#spare.push(room)
    else await room.close()
  }
}
