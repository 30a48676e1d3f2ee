// A pid namespace in which steps run. Nothing that a step starts can leave it, and when its first process ends, the
// kernel ends all others. That first process is a shell that reads from us: so the room is gone as soon as we are,
// however we ended.
//
// A room that a step leaves as empty as it found it serves the next one. The first process finds that out: it kills all
// others in the namespace, and the kernel says whether there was any. A listing would not do: a process can be made so
// that it is no child of the first one (CLONE_PARENT), and can fork faster than a listing goes.

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'

import { tolerating } from '../../../lib/base/errno.ts'

/** A user other than root first needs a user namespace, which allows the others. */
const isRoot = () => process.getuid?.() === 0

/**
 * Says a line when it is ready, and for each line it reads whether it was alone. Children it inherits are none of its
 * business: with CHLD ignored the kernel reaps them. To kill -1 is to kill all in the namespace but itself, at one instant.
 */
const FIRST_PROCESS = `
trap '' CHLD
echo
while read -r _; do if kill -KILL -1 2>/dev/null; then echo used; else echo alone; fi; done`

/** How long the first process may take to answer, in milliseconds: when in doubt the room is not used again. */
const ANSWER = 2000

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

  /** Returns the prefix of a command that runs in here, in `directory`, as the leader of a session of its own. */
  enter(directory: string): string[] {
    const user = isRoot() ? [] : ['--user', '--preserve-credentials']
    return ['nsenter', '-t', String(this.#init), ...user, '-p', '-m', `--wdns=${directory}`, 'setsid']
  }

  /** The command that was started with `enter`, as pid of the process group that it leads, seen from outside. */
  leader(entered: number): number | undefined {
    return childrenOf(entered)?.[0]
  }

  /** True until it is closed, or its first process was killed. */
  get isOpen(): boolean {
    return this.#open
  }

  /** Kills what the step left behind; true if that was nothing, no process and no mount. */
  async isClean(): Promise<boolean> {
    if (!this.#open || !(await this.#isAlone())) return false
    return this.isOpen && this.#readMounts() === this.#mounts
  }

  #isAlone(): Promise<boolean> {
    return new Promise(done => {
      const timer = setTimeout(() => done(false), ANSWER)
      const answer = (alone: boolean) => {
        clearTimeout(timer)
        done(alone)
      }
      this.#unshare.stdout!.once('data', (text: Buffer) => answer(text.toString() === 'alone\n'))
      void this.#closed.then(() => answer(false))
      this.#unshare.stdin!.write('\n')
    })
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
  #wasOpened = false

  /** True once a room could be opened here. */
  get wasOpened(): boolean {
    return this.#wasOpened
  }

  async take(): Promise<Room> {
    for (let room = this.#spare.pop(); room; room = this.#spare.pop()) {
      // It was clean when it was left, and nothing can have begun in it since.
      if (room.isOpen) return room
    }
    const room = await Room.open()
    this.#wasOpened = true
    return room
  }

  /** Takes a room back. One that is not as empty as it was found is closed. */
  async give(room: Room): Promise<void> {
    if (await room.isClean()) this.#spare.push(room)
    else await room.close()
  }
}
