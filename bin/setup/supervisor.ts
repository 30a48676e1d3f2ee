// Keeps programs running: what they say is passed on line by line, what ends is started again, and nothing is left of
// them when this ends, even by kill -9.

import type { ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'

import { EXIT } from '../../lib/base/exit.ts'
import { TIMER_MAX_MS } from '../../lib/base/timer.ts'
import { start, tryRunSync } from '../../lib/system/run.ts'
import type { CommandLine } from '../../lib/system/run.ts'

export interface Program {
  /** The prefix of its output: `task-taker 2`. */
  readonly name: string
  readonly file: string
  readonly args?: readonly string[]
  readonly directory: string
  readonly env: NodeJS.ProcessEnv
  /** A text of all that it reads when it starts; with another one it is to be started anew. */
  readonly state?: string
}

/** The wait before a program is started again: twice as long each time, from the first to the last, in milliseconds. */
const WAIT = { first: 1000, last: 30_000 }

/**
 * A program that ran this long, in milliseconds, is restarted with the first delay again. Longer than the
 * last delay.
 */
const WELL = 60_000

/** A program that is to run, and where it is: it runs, it waits for its start, or it will not mend itself. */
interface Kept {
  program: Program
  child?: ChildProcess
  timer?: NodeJS.Timeout
  /** It was asked to end for a new start. */
  renewed?: boolean
  /** It is not to be started again. */
  dropped?: boolean
}

/** True if it has ended with 100. */
const hasGivenUp = ({ child, timer }: Kept): boolean => child === undefined && timer === undefined

export class Supervisor {
  readonly #tell: (name: string, line: string) => void
  readonly #grace: number
  readonly #kept = new Map<string, Kept>()
  /** Those that run, also such as are not kept any more. */
  readonly #running = new Set<ChildProcess>()
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
    this.follow(programs)
  }

  /**
   * From now on these programs are kept running: new ones are started, those that are not among them any more are told to
   * stop, and those whose state is another one are asked by HUP to end where they can be spared, and started anew. What
   * has ended with 100 is tried again, whatever it reads: it may have failed for what is not in its state.
   */
  follow(programs: readonly Program[]): void {
    if (this.#stopping) return
    const names = new Set(programs.map(({ name }) => name))
    for (const [name, kept] of this.#kept) if (!names.has(name)) this.#drop(name, kept)
    for (const program of programs) {
      const kept = this.#kept.get(program.name)
      const before = kept?.program
      if (kept) kept.program = program
      if (!kept) this.#start(this.#keep(program), WAIT.first)
      else if (before!.state !== program.state || hasGivenUp(kept)) this.#renew(kept)
    }
  }

  /**
   * Sends all the signal to stop, and kills those that still run after the grace time. A second call sends it
   * again, which is final.
   */
  stop(): void {
    for (const child of this.#running) child.kill('SIGTERM')
    if (this.#stopping) return
    this.#stopping = true
    for (const { timer } of this.#kept.values()) clearTimeout(timer)
    this.#kept.clear()
    const kill = setTimeout(
      () => {
        this.#code = EXIT.temporary
        for (const child of this.#running) child.kill('SIGKILL')
      },
      Math.min(this.#grace, TIMER_MAX_MS),
    )
    void this.ended.then(() => clearTimeout(kill))
    this.#endIfDone()
  }

  #keep(program: Program): Kept {
    const kept = { program }
    this.#kept.set(program.name, kept)
    return kept
  }

  #drop(name: string, kept: Kept): void {
    clearTimeout(kept.timer)
    kept.dropped = true
    this.#kept.delete(name)
    kept.child?.kill('SIGTERM')
    this.#tell(name, 'not wanted any more')
  }

  #renew(kept: Kept): void {
    if (kept.child) {
      kept.renewed = true
      kept.child.kill('SIGHUP')
      return
    }
    // It waits, or has ended with 100, which other settings may have mended.
    clearTimeout(kept.timer)
    this.#start(kept, WAIT.first)
  }

  #start(kept: Kept, wait: number): void {
    const { program } = kept
    const began = performance.now()
    // A session of its own: Ctrl-C reaches this program alone, which signals each of them once.
    const child = start(leashed([program.file, ...(program.args ?? [])]), {
      cwd: program.directory,
      env: program.env,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    })
    kept.child = child
    kept.renewed = false
    delete kept.timer
    this.#running.add(child)
    for (const input of [child.stdout, child.stderr]) {
      createInterface({ input }).on('line', line => this.#tell(program.name, line))
    }
    const over = (how: string, code?: number | null) => {
      // A program that cannot be started says so by `error` alone.
      if (!this.#running.delete(child)) return
      delete kept.child
      if (!this.#stopping && !kept.dropped)
        this.#startAgain(kept, how, code, performance.now() - began > WELL ? WAIT.first : wait)
      this.#endIfDone()
    }
    child.on('error', error => over(`cannot be started: ${error.message}`))
    child.on('exit', (code, signal) =>
      over(signal ? `ended by ${signal}` : `ended with ${String(code)}`, code),
    )
  }

  #startAgain(kept: Kept, how: string, code: number | null | undefined, wait: number): void {
    const { name } = kept.program
    if (kept.renewed) {
      this.#tell(name, `${how}; started again with other settings`)
      this.#start(kept, WAIT.first)
      return
    }
    if (code === EXIT.lasting) {
      this.#code = EXIT.lasting
      this.#tell(name, `${how}, which will not mend itself: not started again`)
      return
    }
    this.#tell(name, `${how}; started again in ${wait / 1000} s`)
    kept.timer = setTimeout(() => this.#start(kept, Math.min(wait * 2, WAIT.last)), wait)
  }

  #endIfDone(): void {
    const isWaiting = [...this.#kept.values()].some(({ timer }) => timer !== undefined)
    if (this.#running.size > 0 || isWaiting) return
    this.#end(this.#stopping && this.#code === EXIT.lasting ? EXIT.done : this.#code)
  }
}

const LEASH = ['--pdeathsig', 'TERM', '--']

let hasLeash: boolean | undefined

/** Starts the program so that the system stops it when this one dies, where the system can. */
function leashed(command: CommandLine): CommandLine {
  hasLeash ??= tryRunSync(['setpriv', ...LEASH, 'true'])?.code === 0
  return hasLeash ? ['setpriv', ...LEASH, ...command] : command
}
