// Starts other programs: the one place that does. A command is a list, the program first; nothing goes through a shell
// by itself. What keeps a program from being started is told in one way: lasting where there is none that can be run,
// temporary where the system has no room for a process just now.

import type { ChildProcess, ChildProcessByStdio, ExecFileException, StdioOptions } from 'node:child_process'
import { PassThrough } from 'node:stream'
import type { Readable, Writable } from 'node:stream'

import { EXIT, Fatal, notStarted } from '../base/exit.ts'

/** A program, and its arguments. */
export type CommandLine = readonly string[]

/** How a program that was run has ended. */
export interface Ran {
  /** Its exit code; null if a signal ended it. */
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

interface How {
  /** Our own where nothing else is said. */
  readonly env?: NodeJS.ProcessEnv
  readonly cwd?: string
  /** As another user, which only root can. */
  readonly uid?: number
  readonly gid?: number
}

interface RunHow extends How {
  /** How bytes and text become each other; UTF-8 where nothing else is said. */
  readonly encoding?: BufferEncoding
}

interface StoppableHow extends RunHow {
  /** Ends it with TERM when it aborts. */
  readonly signal?: AbortSignal | undefined
}

interface StartHow<Stdio> extends How {
  readonly stdio: Stdio
  /** The leader of a process group and session of its own. */
  readonly detached?: boolean
  /** Kills it with `killSignal` when it aborts. */
  readonly signal?: AbortSignal | undefined
  readonly killSignal?: NodeJS.Signals
}

type End<Wanted, Stream> = Wanted extends 'pipe' ? Stream : null

/** More than this of its output ends a program that is run: 256 MiB. */
const OUTPUT_MAX = 1 << 28

// Hardly ever needed by the smallest programs, and a tenth of their start.
const processes = () => process.getBuiltinModule('node:child_process')

/** Starts a program. Whatever keeps it from being started is told by the child's `error`; `notStarted` says how it counts. */
export function start<const I, const O, const E>(
  command: CommandLine,
  how: StartHow<readonly [I, O, E, ...('pipe' | number)[]]>,
): ChildProcessByStdio<End<I, Writable>, End<O, Readable>, End<E, Readable>>
export function start(command: CommandLine, how: StartHow<StdioOptions>): ChildProcess
export function start([program = '', ...args]: CommandLine, how: StartHow<unknown>): ChildProcess {
  const { signal, ...rest } = how
  const options = { ...rest, stdio: how.stdio as StdioOptions, ...(signal ? { signal } : {}) }
  try {
    return withStreams(processes().spawn(program, args, options))
  } catch (error) {
    // So where memory is short.
    const child = withStreams(new (processes().ChildProcess)())
    process.nextTick(() => child.emit('error', error) && child.emit('close', null, null))
    return child
  }
}

/** Where descriptors are short, or memory is, there is a child without streams. Ours have nothing in them. */
function withStreams(child: ChildProcess): ChildProcess {
  if ((child.stdio as unknown) !== undefined) return child
  const [stdin, stdout, stderr] = [
    new PassThrough().resume(),
    new PassThrough().end(),
    new PassThrough().end(),
  ]
  return Object.assign(child, { stdin, stdout, stderr, stdio: [stdin, stdout, stderr] as const })
}

/** Runs a program to its end. Rejects with a Fatal if it cannot be started. */
export async function run([program = '', ...args]: CommandLine, how: StoppableHow = {}): Promise<Ran> {
  const options = { encoding: 'utf8' as const, maxBuffer: OUTPUT_MAX, ...how }
  return new Promise((done, failed) => {
    const over = (error: ExecFileException | Error | null, stdout: string, stderr: string) => {
      const { code = null, signal = null } = (error ?? { code: 0 }) as ExecFileException
      if (how.signal?.aborted) done({ code: null, signal: 'SIGTERM', stdout, stderr })
      else if (typeof code === 'number' || signal)
        done({ code: code as number | null, signal, stdout, stderr })
      else failed(notStarted(program, error))
    }
    try {
      processes().execFile(program, args, options, over)
    } catch (error) {
      over(error as Error, '', '')
    }
  })
}

interface SyncHow extends RunHow {
  readonly input?: string
  /** Its standard output and error are ours, or nobody's, and nothing is returned of them. */
  readonly stdio?: 'inherit' | 'ignore'
}

/** Runs a program to its end, for those who have nothing else to do meanwhile. Throws a Fatal if it cannot be started. */
export function runSync([program = '', ...args]: CommandLine, how: SyncHow = {}): Ran {
  const { input, encoding = 'utf8', ...rest } = how
  const { status, signal, stdout, stderr, error } = processes().spawnSync(program, args, {
    maxBuffer: OUTPUT_MAX,
    ...rest,
    encoding,
    ...(input === undefined ? {} : { input: Buffer.from(input, encoding) }),
  })
  if (error) throw notStarted(program, error)
  // Of what went elsewhere there is nothing.
  return {
    code: status,
    signal,
    stdout: textOf(stdout),
    stderr: textOf(stderr),
  }
}

/** Why a program failed, in its own words: the last line of its complaint, or how it ended. Pure. */
export function failureOf({ code, signal, stderr }: Omit<Ran, 'stdout'>): string {
  const last = stderr.trimEnd().split('\n').at(-1)!.trim()
  return last || (signal ? `it was ended by ${signal}` : `it ended with exit code ${code ?? ''}`)
}

/** Node types what went elsewhere as text as well. Pure. */
const textOf = (output: string | null): string => output ?? ''

/** As `runSync`; undefined if there is no such program. */
export function tryRunSync(command: CommandLine, how: SyncHow = {}): Ran | undefined {
  try {
    return runSync(command, how)
  } catch (error) {
    if (error instanceof Fatal && error.exitCode === EXIT.lasting) return undefined
    throw error
  }
}
