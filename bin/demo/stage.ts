// Where a demo plays: a directory of its own, verbs that run there, and what is told of it.

import { once } from 'node:events'
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { EXIT, lasting, quote, temporary } from '../../lib/base/exit.ts'
import { setting } from '../../lib/base/settings.ts'
import { environmentToFill } from '../../lib/conf/sourced.ts'
import { spoolAt } from '../../lib/spool/spool.ts'
import { start } from '../../lib/system/run.ts'
import { programsOf } from '../setup/programs.ts'
import { Supervisor } from '../setup/supervisor.ts'
import type { Program } from '../setup/supervisor.ts'

/** How long something may take to appear, and programs to end, in milliseconds. */
const START_TIMEOUT_MS = 30_000
const END_GRACE_MS = 10_000

/** The log of the programs. */
const LOG = 'up.log'

export class Stage {
  readonly directory: string
  /** The tree of BASS. */
  readonly root = setting('BASS_ROOT')
  /** Aborts when a person wants no more of it. */
  readonly signal: AbortSignal
  /** A fresh login's, so that no setting of this user or another spool matters; and what a demo adds. */
  readonly env: NodeJS.ProcessEnv
  #pages: string | undefined
  /** The last words of a program that could not go on. */
  #fatal: string | undefined

  constructor(directory: string, signal: AbortSignal) {
    this.directory = directory
    this.signal = signal
    const kept = ['PATH', 'HOME', 'USER', 'LANG', 'LC_ALL', 'TERM', 'TMPDIR', 'NO_COLOR']
    this.env = {
      ...Object.fromEntries(kept.map(name => [name, process.env[name]])),
      BASS_ROOT: this.root,
    }
  }

  at(...names: string[]): string {
    return join(this.directory, ...names)
  }

  get spool() {
    return spoolAt(this.at('spool'))
  }

  /** Runs a program on this terminal, without its standard output if `quiet`; returns its exit code. */
  async run(
    cwd: string,
    program: string,
    args: readonly string[],
    env = this.env,
    quiet?: 'quiet',
  ): Promise<number> {
    const stdio = ['ignore', quiet ? 'ignore' : 'inherit', 'inherit'] as const
    const child = start([program, ...args], { cwd, env, stdio: [...stdio], signal: this.signal })
    return new Promise((resolve, reject) => {
      child.on('error', reject)
      child.on('exit', code => resolve(code ?? EXIT.temporary))
    })
  }

  /** Runs a verb beside the demo's spool; of `init` nothing is printed, since the demo says itself what is next. */
  bass(...args: string[]): Promise<number> {
    const env = { ...this.env, SPOOL: this.spool.root }
    const quiet = args[0] === 'init' ? 'quiet' : undefined
    return this.run(this.directory, join(this.root, 'bin/bass'), args, env, quiet)
  }

  /** Does `act` while all programs of the spool run. */
  async whileUp<T>(takers: number, web: boolean, act: () => Promise<T>): Promise<T> {
    const { root } = this.spool
    return this.whileRunning(programsOf({ root, env: environmentToFill(root, this.env), takers, web }), act)
  }

  /** Does `act` while these programs run; what they say is in LOG. */
  async whileRunning<T>(programs: readonly Program[], act: () => Promise<T>): Promise<T> {
    const supervisor = new Supervisor(programs, END_GRACE_MS, (name, line) => {
      appendFileSync(this.at(LOG), `${name} | ${line}\n`)
      if (line.includes(': fatal: ')) this.#fatal ??= line
      if (['reporter', 'web', 'farmer'].includes(name)) this.#pages ??= /http:\S+/.exec(line)?.[0]
    })
    try {
      return await act()
    } finally {
      supervisor.stop()
      await supervisor.ended
    }
  }

  /** The address of the pages, as soon as they are served. */
  pages(): Promise<string> {
    return this.eventually('serve the pages', () => {
      if (this.#fatal !== undefined) throw lasting('serve the pages', this.#fatal)
      return this.#pages
    })
  }

  /** Returns the first result of `probe` that is not undefined. */
  async eventually<T>(what: string, probe: () => T | undefined): Promise<T> {
    const end = performance.now() + START_TIMEOUT_MS
    while (performance.now() < end) {
      const found = probe()
      if (found !== undefined) return found
      await sleep(20, undefined, { signal: this.signal })
    }
    throw temporary(
      what,
      `nothing came of it for ${START_TIMEOUT_MS / 1000} s; ${quote(this.at(LOG))} may say why`,
    )
  }

  /** In a terminal, waits until a person has seen enough. */
  async keepOpen(): Promise<void> {
    if (!process.stdin.isTTY) return
    tellLine('\nThe pages are still there: press Enter to end the demo.')
    process.stdin.resume()
    try {
      await once(process.stdin, 'data', { signal: this.signal })
    } finally {
      process.stdin.pause()
    }
  }
}

/** Shows a page, where there is something to show it on. */
export function open(url: string): void {
  if (!process.env['DISPLAY'] && !process.env['WAYLAND_DISPLAY']) return
  const opener = start(['xdg-open', url], { stdio: 'ignore', detached: true })
  // Without one, the address is there to be clicked.
  opener.on('error', () => undefined)
  opener.unref()
}

export const tellLine = (text: string): boolean => process.stdout.write(`${text}\n`)
export const show = (line: string, comment = ''): boolean =>
  tellLine(`$ ${line}${comment && `   ${comment}`}`)
export const tell = (what: string, path: string): boolean => tellLine(`  ${what.padEnd(9)}${path}`)
