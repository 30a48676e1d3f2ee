// Keeps programs running: what they say is passed on line by line, what ends is started again, and nothing is left of
// them when this ends, even by kill -9.

import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'

import { EXIT } from '../../lib/base/exit.ts'

export interface Program {
  /** The prefix of its output: `task-taker 2`. */
  readonly name: string
  readonly file: string
  readonly args?: readonly string[]
  readonly directory: string
  readonly env: NodeJS.ProcessEnv
}

/** The wait before a program is started again: twice as long each time, from the first to the last, in milliseconds. */
const WAIT = { first: 1000, last: 30_000 }

/**
 * A program that ran this long, in milliseconds, is restarted with the first delay again. Longer than the
 * last delay.
 */
const WELL = 60_000

export class Supervisor {
  readonly #tell: (name: string, line: string) => void
  readonly #grace: number
  readonly #running = new Set<ChildProcess>()
  readonly #waiting = new Set<NodeJS.Timeout>()
  #stopping = false
  #code: number = EXIT.done
  #end!: (code: number) => void

  /**
   * Settles when nothing runs any more and nothing will be started: 0 after `stop`, 111 if something had to be killed,
   * 100 if all programs have ended with 100.
   */
  readonly ended = new Promise<number>(end => (this.#end = end))

  /** `tell` receives each line of each program; after `stop` they get `grace` milliseconds. */
  constructor(programs: readonly Program[], grace: number, tell: (name: string, line: string) => void) {
    this.#tell = tell
    this.#grace = grace
    for (const program of programs) this.#start(program, WAIT.first)
  }

  /**
   * Sends all the signal to stop, and kills those that still run after the grace time. A second call sends it
   * again, which is final.
   */
  stop(): void {
    for (const child of this.#running) child.kill('SIGTERM')
    if (this.#stopping) return
    this.#stopping = true
    for (const timer of this.#waiting) clearTimeout(timer)
    this.#waiting.clear()
    const kill = setTimeout(() => {
      this.#code = EXIT.temporary
      for (const child of this.#running) child.kill('SIGKILL')
    }, this.#grace)
    void this.ended.then(() => clearTimeout(kill))
    this.#endIfDone()
  }

  #start(program: Program, wait: number): void {
    const began = performance.now()
    const [file, args] = leashed(program.file, program.args ?? [])
    // A session of its own: Ctrl-C reaches this program alone, which signals each of them once.
    const child = spawn(file, args, {
      cwd: program.directory,
      env: program.env,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    })
    this.#running.add(child)
    for (const input of [child.stdout, child.stderr]) {
      createInterface({ input }).on('line', line => this.#tell(program.name, line))
    }
    const over = (how: string, code?: number | null) => {
      // A program that cannot be started says so by `error` alone.
      if (!this.#running.delete(child)) return
      if (!this.#stopping)
        this.#startAgain(program, how, code, performance.now() - began > WELL ? WAIT.first : wait)
      this.#endIfDone()
    }
    child.on('error', error => over(`cannot be started: ${error.message}`))
    child.on('exit', (code, signal) =>
      over(signal ? `ended by ${signal}` : `ended with ${String(code)}`, code),
    )
  }

  #startAgain(program: Program, how: string, code: number | null | undefined, wait: number): void {
    if (code === EXIT.lasting) {
      this.#code = EXIT.lasting
      this.#tell(program.name, `${how}, which will not mend itself: not started again`)
      return
    }
    this.#tell(program.name, `${how}; started again in ${wait / 1000} s`)
    const timer = setTimeout(() => {
      this.#waiting.delete(timer)
      this.#start(program, Math.min(wait * 2, WAIT.last))
    }, wait)
    this.#waiting.add(timer)
  }

  #endIfDone(): void {
    if (this.#running.size > 0 || this.#waiting.size > 0) return
    this.#end(this.#stopping && this.#code === EXIT.lasting ? EXIT.done : this.#code)
  }
}

const LEASH = ['--pdeathsig', 'TERM', '--']

let hasLeash: boolean | undefined

/** Starts the program so that the system stops it when this one dies, where the system can. */
function leashed(file: string, args: readonly string[]): [string, readonly string[]] {
  hasLeash ??= spawnSync('setpriv', [...LEASH, 'true']).status === 0
  return hasLeash ? ['setpriv', [...LEASH, file, ...args]] : [file, args]
}
