// The steps of a job in a tmux server of their own, for people who want to watch. The job's temporary directory holds
// an executable `tmux` that attaches to it. We hand the plan to a window of it, and learn the outcome from a file.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { serialize } from 'node:v8'

import { readIfThere } from '../../lib/system/durable.ts'
import { Fatal, temporary } from '../../lib/base/exit.ts'
import { self, startOf } from '../../lib/system/process.ts'
import { failureOf, run } from '../../lib/system/run.ts'
import { currentUmask, withUmaskAtStart } from '../../lib/system/umask.ts'
import type { Outcome, Plan, StopReason } from './plan.ts'
import { killRemains, markOf, signal } from './places/processes.ts'

/** Below the job's temporary directory. The socket's name is used from there: a whole path may be too long for one. */
export const PLAN_FILE = '.plan'
export const OUTCOME_FILE = '.outcome'
const SOCKET = '.tmux'

/** The file that the window reads at its start. */
export interface Order {
  readonly plan: Plan
  readonly settings: Readonly<Record<string, string | undefined>>
  /** For the files of the job; the steps and the user's windows get the umask of the server. */
  readonly umask: number
}

/** The file that the window writes at its end: the outcome, or why there is none. */
export type Report = { readonly outcome: Outcome } | { readonly failed: string; readonly exitCode: number }

/** How often to look for the outcome, in milliseconds. */
const OUTCOME_LOOK_MS = 50

/** The variables that the tmux server inherits: a user may open more windows there. */
const PASSED = ['PATH', 'HOME', 'LANG', 'SHELL', 'USER', 'LOGNAME', 'TERM'] as const

/** Runs the steps in tmux. When this resolves the verdict is known; a failed job's session may still wait for a person. */
export async function runInTmux(plan: Plan, stop: AbortSignal): Promise<Outcome> {
  const pid = await openWindow(plan)
  const start = startOf(pid)
  const here = () => start !== '' && startOf(pid) === start
  const end = () => {
    if (here()) signal(pid, (stop.reason as StopReason) === 'cancelled' ? 'SIGTERM' : 'SIGHUP')
  }
  stop.addEventListener('abort', end)
  try {
    if (stop.aborted) end()
    for (let last = false; ; last = !here()) {
      const report = readReport(plan.work)
      if (report) {
        if (!('outcome' in report)) throw new Fatal(report.exitCode, 'run the steps in tmux', report.failed)
        // Only a failure is waited with.
        while (report.outcome.verdict === 'success' && here()) await sleep(OUTCOME_LOOK_MS)
        return report.outcome
      }
      if (last) break
      await sleep(OUTCOME_LOOK_MS)
    }
  } finally {
    stop.removeEventListener('abort', end)
  }
  await killRemains(plan.work)
  throw temporary('run the steps in tmux', 'their window was killed')
}

/** Returns the pid of the program in the window. */
async function openWindow(plan: Plan): Promise<number> {
  const { work } = plan
  const { pid, start } = self()
  // It holds the secrets. The settings are for what starts a container or ssh; the user's windows do not get them.
  const order: Order = { plan, settings: { ...process.env }, umask: currentUmask() }
  writeFileSync(join(work, PLAN_FILE), serialize(order), { mode: 0o600 })
  const attach = `#!/bin/sh\n# Attaches to the steps of this job.\ncd "$(dirname "$0")" && TMUX= exec tmux -S ${SOCKET} attach\n`
  writeFileSync(join(work, 'tmux'), attach, { mode: 0o755 })
  const program = [process.execPath, join(__dirname, 'tmux-window.js'), work, String(pid), start]
  const session = ['new-session', '-d', '-P', '-F', '#{pane_pid}', '-s', 'bass', '-x', '160', '-y', '50']
  const args = [
    ...['-S', SOCKET, '-f', '/dev/null', 'start-server', ';', 'set', '-g', 'history-limit', '100000', ';'],
    ...[...session, 'env', markOf(work), ...program],
  ]
  const env = Object.fromEntries(PASSED.map(name => [name, process.env[name]]))
  try {
    const started = await withUmaskAtStart(() => run(['tmux', ...args], { cwd: work, env }))
    if (started.code === 0) return Number(started.stdout)
    throw new Error(failureOf(started))
  } catch (error) {
    throw temporary('start tmux, as JOB_TMUX=yes demands', error)
  }
}

function readReport(work: string): Report | undefined {
  const text = readIfThere(join(work, OUTCOME_FILE))
  return text === undefined ? undefined : (JSON.parse(text) as Report)
}
