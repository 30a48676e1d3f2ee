// A pid namespace in which steps run. Nothing that a step starts can leave it, and when its first process ends, the
// kernel ends all others.
//
// A room that a step leaves as empty as it found it serves the next one. The first process finds that out: it ends what
// waits to become the next step, then kills all others in the namespace, and the kernel says whether there was any. A listing
// would not do: a process can be made so that it is no child of the first one (CLONE_PARENT), and can fork faster than a listing
// goes.

import type { ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import type { Readable, Writable } from 'node:stream'
import { getSystemErrorMap } from 'node:util'

import { tolerating } from '../../../lib/base/errno.ts'
import { temporary } from '../../../lib/base/exit.ts'
import type { ProcessEnd } from '../../../lib/spool/job-files.ts'
import { run, start } from '../../../lib/system/run.ts'
import { umaskAtStart } from '../../../lib/system/umask.ts'
import { KEEPER, STARTER } from './first-process.ts'
import { Lines } from './lines.ts'
import type { Hold } from './lines.ts'
import type { PipePool, Pipes } from './pipes.ts'

/** A user other than root first needs a user namespace, which allows the others. */
const isRoot = () => process.getuid?.() === 0

/** How long the first process may take to answer, in milliseconds: when in doubt the room is not used again. */
const ANSWER = 2000

/** A step that the first process started. */
export interface RoomStep {
  /** Resolves when it runs; fails with an error of the system if it cannot. */
  readonly started: Promise<void>
  /** How it ended, if it started. */
  readonly ended: Promise<ProcessEnd>
}

export class Room {
  readonly #unshare: ChildProcess
  /** The first process, as it is seen from outside. */
  readonly #init: number
  readonly #mounts: string
  #open = true
  readonly #closed: Promise<void>
  readonly #lines: Lines
  #pipes: Pipes | undefined

  private constructor(unshare: ChildProcess, init: number, lines: Lines) {
    this.#unshare = unshare
    this.#init = init
    this.#lines = lines
    this.#mounts = this.#readMounts()
    this.#closed = new Promise(done =>
      unshare.on('exit', () => {
        this.#open = false
        for (const pipe of this.#pipes ?? []) pipe.close()
        done()
      }),
    )
    // A room that waits for the next job keeps no program from ending.
    ;(unshare.stdin as Writable & Hold).unref()
  }

  /** Opens a room with this first process; fails with what `unshare` says where it cannot make one. */
  static async open(first: readonly string[]): Promise<Room> {
    const user = isRoot() ? [] : ['--user', '--map-current-user']
    // Mounts of the host come in, those made inside stay inside.
    const how = ['-p', '--fork', '--kill-child', '--propagation', 'slave', '--mount-proc']
    const unshare = start(['unshare', ...user, ...how, ...first, umaskAtStart()], {
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
      cwd: '/',
      env: { PATH: process.env['PATH'] },
    })
    let said = ''
    unshare.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
    unshare.stdin.on('error', () => undefined)
    const lines = new Lines(unshare.stdout as Readable & Hold, unshare)
    await new Promise<void>((ready, failed) => {
      void lines.next('ready').then(() => ready())
      unshare.on('error', failed)
      unshare.on('close', () => failed(new Error(said.trim().split('\n')[0] || 'unshare failed')))
    })
    unshare.stderr.destroy()
    const init = childrenOf(unshare.pid!)?.[0]
    if (init === undefined) {
      unshare.kill('SIGKILL')
      throw new Error('/proc does not tell the children of a process')
    }
    return new Room(unshare, init, lines)
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
      void this.#lines.next('alone', 'used').then(([word]) => answer(word === 'alone'))
      void this.#closed.then(() => answer(false))
      this.#unshare.stdin!.write('alone\n')
    })
  }

  /** The pipes of this room, for the output of the steps that it starts: made at the first call. */
  async pipes(pool: PipePool, directory: string): Promise<Pipes> {
    this.#pipes ??= await pool.make(directory, async paths => {
      const opened = this.#lines.next('pipes')
      this.#unshare.stdin!.write(`pipes ${paths.join('\n')}\n`)
      await Promise.race([opened, this.#closed.then(() => Promise.reject(gone()))])
    })
    return this.#pipes
  }

  /** True if the first process starts steps by itself. */
  get starts(): boolean {
    return this.#pipes !== undefined
  }

  /** Starts a command, as the leader of a group of its own, with its output in the pipes of this room. */
  run(command: readonly string[], directory: string, env: Readonly<Record<string, string>>): RoomStep {
    const entries = Object.entries(env).map(([name, value]) => `${name}=${value}`)
    const fields = [directory, String(command.length), ...command, ...entries]
    const request = Buffer.from(fields.map(field => `${field}\0`).join(''))
    const started = this.#lines.next('started', 'failed').then(([word, number]) => {
      if (word === 'failed') throw systemError(Number(number))
    })
    const ended = this.#lines.next('ended', 'failed').then(([, status]) => endOf(Number(status)))
    this.#unshare.stdin!.write(Buffer.concat([Buffer.from(`run ${request.length}\n`), request]))
    return {
      started: Promise.race([started, this.#closed.then(() => Promise.reject(gone()))]),
      ended: Promise.race([ended, this.#closed.then((): ProcessEnd => ({ signal: 'KILL' }))]),
    }
  }

  /** Sends a signal to the group of the step that was started with `run`. */
  signal(name: NodeJS.Signals): void {
    if (this.#open) this.#unshare.stdin!.write(`signal ${constants.signals[name]}\n`)
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

const gone = () => temporary('run a step', 'its pid namespace is gone')

/** The error of a system call, as Node's own. */
function systemError(number: number): Error {
  const [code = 'EIO', text = 'input/output error'] = getSystemErrorMap().get(-number) ?? []
  return Object.assign(new Error(text), { errno: -number, code })
}

const SIGNALS = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name.slice(3)]))

/** A status as wait(2) has it. */
function endOf(status: number): ProcessEnd {
  const signal = status & 0x7f
  return signal === 0 ? { code: status >> 8 } : { signal: SIGNALS.get(signal) ?? String(signal) }
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
  #first = STARTER

  /** True once a room could be opened here. */
  get wasOpened(): boolean {
    return this.#wasOpened
  }

  /** True if rooms start steps by themselves. */
  get start(): boolean {
    return this.#first === STARTER
  }

  async take(): Promise<Room> {
    for (let room = this.#spare.pop(); room; room = this.#spare.pop()) {
      // It was clean when it was left, and nothing can have begun in it since, but what waits to become its next step.
      if (room.isOpen) return room
    }
    const room = await this.#openRoom()
    this.#wasOpened = true
    return room
  }

  async #openRoom(): Promise<Room> {
    try {
      return await Room.open(this.#first)
    } catch (error) {
      if (this.#first === KEEPER || (await hasPerl())) throw error
      this.#first = KEEPER
      return Room.open(this.#first)
    }
  }

  /** Takes a room back. One that is not as empty as it was found is closed. */
  async give(room: Room): Promise<void> {
    if (await room.isClean()) this.#spare.push(room)
    else await room.close()
  }
}

const hasPerl = (): Promise<boolean> =>
  run(['perl', '-MFcntl', '-e', '1']).then(
    ({ code }) => code === 0,
    () => false,
  )
