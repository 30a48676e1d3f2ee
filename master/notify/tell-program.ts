// Runs a program that reads on its standard input what it is to tell, for no longer than one try may take.

import { start } from '../../lib/system/run.ts'
import { TRY_TIMEOUT } from './deliver.ts'

/** How much of what it says is kept, for the reason it gives. */
const SAID = 4096

export interface Told {
  /** Its exit code; null if a signal ended it. */
  readonly code: number | null
  /** The last line that it said on standard error, or how it ended. */
  readonly why: string
}

/** Runs a program and returns how it ended. One that takes longer than `patience` milliseconds is killed with all that it started. */
export function tellProgram(
  argv: readonly string[],
  input: string | Buffer,
  env: NodeJS.ProcessEnv,
  patience = TRY_TIMEOUT,
): Promise<Told> {
  return new Promise((done, failed) => {
    const child = start(argv, {
      env,
      stdio: ['pipe', 'ignore', 'pipe'],
      // A group of its own: when its time is over, whatever it started ends as well.
      detached: true,
    })
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-SAID)))
    // It need not read all, or anything.
    child.stdin.on('error', () => undefined)
    child.stdin.end(input)
    const timer = setTimeout(() => kill(child.pid), patience)
    child.on('error', error => {
      clearTimeout(timer)
      failed(error)
    })
    child.on('exit', (code, signal) => {
      clearTimeout(timer)
      done({ code, why: said.trim().split('\n').at(-1) || `it ended with ${signal ?? code ?? 'nothing'}` })
    })
  })
}

function kill(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
  } catch {
    // It has just ended by itself.
  }
}
