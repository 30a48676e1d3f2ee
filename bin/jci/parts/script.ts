// Runs `.jci/run.sh`.

import { setTimeout as sleep } from 'node:timers/promises'

import { lasting } from '../../../lib/base/exit.ts'
import { start } from '../../../lib/system/run.ts'
import { killAll } from './owners.ts'
import type { RunOutcome, RunWork } from './work.ts'

/** How long a script has after TERM, in milliseconds; and its output after its end, where something else holds it open. */
const SCRIPT_GRACE_MS = 2000
const LINGER = 500

/** Runs the script with bash in the output directory; returns when it has ended, or was interrupted and has been ended. */
export async function runScript(path: string, work: RunWork, stop: AbortSignal): Promise<RunOutcome> {
  // One pipe for both streams, so that their order is kept; the shell becomes bash.
  const child = start(['sh', '-c', 'exec bash "$0" 2>&1', path], {
    cwd: work.output,
    env: work.environment,
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  })
  child.stdout.on('data', (bytes: Buffer) => work.say(bytes))
  const closed = new Promise(resolve => child.stdout.on('close', resolve))
  const exited = new Promise<RunOutcome>((resolve, reject) => {
    child.on('error', error => reject(lasting("run 'bash'", error)))
    child.on('exit', (code, signal) => {
      const how = signal ? `signal ${signal.replace(/^SIG/, '')}` : `exit ${code ?? '?'}`
      resolve(code === 0 ? { ok: true, how } : { ok: false, how })
    })
  })
  const kill = (signal: NodeJS.Signals) => {
    try {
      process.kill(-child.pid!, signal)
    } catch {
      // It is over.
    }
  }
  const end = () => {
    kill('SIGTERM')
    setTimeout(() => kill('SIGKILL'), SCRIPT_GRACE_MS).unref()
  }
  stop.addEventListener('abort', end)
  if (stop.aborted) end()
  try {
    const outcome = await exited
    // A process that it left in the background may hold the pipe for ever.
    await Promise.race([closed, sleep(LINGER)])
    child.stdout.destroy()
    if (!stop.aborted) return outcome
    kill('SIGKILL')
    killAll(work.output)
    return { ok: false, how: `interrupted by ${String(stop.reason)}` }
  } finally {
    stop.removeEventListener('abort', end)
  }
}
