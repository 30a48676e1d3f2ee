// Runs in the window of a job's tmux server: the steps, shown as they are logged. After a failure it waits
// for a user for a while; the verdict does not. tmux.ts starts it with the temporary directory and the
// taker's identity.

import { readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { deserialize } from 'node:v8'

import { EXIT, Fatal } from '../../lib/base/exit.ts'
import { TIMER_MAX_MS } from '../../lib/base/timer.ts'
import { isGone, self } from '../../lib/system/process.ts'
import { setUmask } from '../../lib/system/umask.ts'
import type { Outcome, StopReason } from './plan.ts'
import { runStepsHere } from './run-steps.ts'
import { Pools } from './places/pools.ts'
import { OUTCOME_FILE, PLAN_FILE } from './tmux.ts'
import { removeWork } from './work.ts'
import type { Order, Report } from './tmux.ts'

/** How often to see whether the taker is still there, in milliseconds. */
const TAKER_LOOK_MS = 500

const CTRL_C = 3
const NEWLINES = [10, 13]

async function main([work, pid, start]: string[]): Promise<void> {
  const file = join(work!, PLAN_FILE)
  const { plan, settings, umask } = deserialize(readFileSync(file)) as Order
  unlinkSync(file)
  setUmask(umask)
  // The terminal stays as tmux describes it.
  for (const [name, value] of Object.entries(settings)) process.env[name] ??= value

  const stopper = new AbortController()
  const stop = (reason: StopReason) => {
    if (!stopper.signal.aborted) stopper.abort(reason)
  }
  process.on('SIGTERM', () => stop('cancelled'))
  process.on('SIGHUP', () => stop('lost'))
  const taker = { ...self(), pid: Number(pid), start: start! }
  const watch = setInterval(() => isGone(taker) && stop('lost'), TAKER_LOOK_MS)

  // Raw mode, so that Ctrl-S cannot hold up the job. Ctrl-C cancels it.
  let enter: (() => void) | undefined
  process.stdin.setRawMode(true)
  process.stdin.on('data', (keys: Buffer) => {
    if (keys.includes(CTRL_C)) stop('cancelled')
    if (NEWLINES.some(key => keys.includes(key))) enter?.()
  })

  const report = await runStepsHere(plan, stopper.signal, new Pools(), {
    step: name => process.stdout.write(`\x1b[1m--- ${name}\x1b[0m\n`),
    output: bytes => process.stdout.write(Buffer.from(bytes)),
  }).then(
    (outcome): Report => ({ outcome }),
    (error: unknown): Report => ({
      failed: error instanceof Error ? error.message : String(error),
      exitCode: error instanceof Fatal ? error.exitCode : EXIT.temporary,
    }),
  )
  clearInterval(watch)
  writeFileSync(join(work!, OUTCOME_FILE + '.new'), JSON.stringify(report))
  renameSync(join(work!, OUTCOME_FILE + '.new'), join(work!, OUTCOME_FILE))

  if ('outcome' in report && isFailure(report.outcome) && plan.limits.wait > 0) {
    const { verdict, why } = report.outcome
    process.stdout.write(
      `\n${verdict}: ${why ?? ''}\n` +
        `The job's files are in ${work!}, and Ctrl-b c opens a shell.\n` +
        `Press Enter to delete them and close this session; it closes by itself after ${plan.limits.wait / 1000} s.\n`,
    )
    await new Promise<void>(done => {
      enter = done
      setTimeout(done, Math.min(plan.limits.wait, TIMER_MAX_MS))
      process.stdin.on('end', done)
    })
    await removeWork(work!)
  }
  process.exit(EXIT.done)
}

const isFailure = ({ verdict }: Outcome) => ['failure', 'timeout', 'error'].includes(verdict)

if (require.main === module) void main(process.argv.slice(2))
