// bass shell: a shell where the step that failed started, on this machine.

import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { join } from 'node:path'

import { command } from '../lib/system/command.ts'
import { readIfThere } from '../lib/system/durable.ts'
import { parseEnvironment } from './parts/env-file.ts'
import { EXIT, lasting, quote, temporary } from '../lib/base/exit.ts'
import { findOne } from '../lib/view/find-task.ts'
import { openSpool } from '../lib/spool/spool.ts'
import { harmless } from '../lib/base/text.ts'
import { decisiveStep, readView } from '../lib/view/view.ts'
import type { TaskView } from '../lib/view/view.ts'
import { workPaths } from '../slave/run/environment.ts'
import { findSteps } from '../slave/run/steps.ts'
import { atBench, runBefore, tellOutcome, layTask } from './parts/workbench.ts'
import type { Bench } from './parts/workbench.ts'

export const verb = command(
  {
    name: 'bass shell',
    usage: '[--fresh] [--keep] TASK',
    operands: [1, 1],
    about: `Opens a shell where the step that failed started, on this machine and without touching the spool.

TASK is a number, a name, a revision or its beginning, PROJECT[/REF], or 'last'. The task is
unpacked below JOBTMP as a slave does it, the steps before the one that failed are run, and then
SHELL is started in the code, with the environment that the step had. The steps are in $BASS_STEPS,
the one that failed is $BASS_STEP. Everything is deleted when the shell ends. Exits as the shell
does.`,
    options: {
      fresh: { type: 'boolean', about: 'do not run the steps before it' },
      keep: { type: 'boolean', about: 'leave the files there, and say where' },
    },
    environment: {
      SPOOL: 'the spool',
      SHELL: 'the shell to start',
      JOBTMP: 'where the task is unpacked',
      BUNDLE_MAX: 'how large it may be',
      PREPARE: 'a command to run before the steps',
    },
  },
  async ([text], { fresh, keep }) => {
    const spool = openSpool()
    const where = findOne(spool, text!)
    const view = readView(where)
    const { taskAt } = where
    if (!view || taskAt === undefined)
      throw lasting(`unpack ${quote(where.task.name)}`, 'its task was pruned')
    // Variables of the slave's environment that this machine lacks.
    const more = parseEnvironment((where.jobAt && readIfThere(join(where.jobAt, 'env.txt'))) ?? '')
    const { code } = await atBench(async work => {
      const bench = await layTask(where.task, taskAt, work, more)
      const step = firstFailure(view) ?? findSteps(workPaths(work).steps)[0]?.name
      const stopped = step === undefined || fresh ? undefined : await comeTo(bench, step)
      const code = await openShell(bench, stopped ?? step)
      if (keep) process.stderr.write(`the files are in ${work}\n`)
      return { code, keep }
    })
    return code
  },
)

const firstFailure = ({ job }: TaskView): string | undefined => (job ? decisiveStep(job)?.name : undefined)

/** Runs the steps before this one. Returns the step that failed on the way, if one did. */
async function comeTo(bench: Bench, step: string): Promise<string | undefined> {
  const outcome = await runBefore(bench, step)
  if (!outcome || outcome.verdict === 'success') return undefined
  tellOutcome(outcome)
  return outcome.step
}

function openShell({ work, environment }: Bench, step: string | undefined): Promise<number> {
  // Not a setting of BASS: a login sets it.
  const shell = process.env['SHELL'] || 'sh'
  if (step !== undefined) process.stderr.write(`here starts ${harmless(step)}: "$BASS_STEP" runs it\n`)
  const { code, steps } = workPaths(work)
  const terminal = Object.entries(process.env).filter(([name]) =>
    ['TERM', 'COLORTERM', 'SHELL'].includes(name),
  )
  const child = spawn(shell, [], {
    cwd: code,
    stdio: 'inherit',
    env: {
      ...environment.values,
      ...Object.fromEntries(terminal),
      ...(step === undefined ? {} : { BASS_STEP: join(steps, step) }),
    },
  })
  // Ctrl-C is meant for what runs in the shell.
  const ignore = () => undefined
  process.on('SIGINT', ignore)
  return new Promise((done, fail) => {
    child.on('error', error => fail(temporary(`start the shell ${quote(shell)}`, error)))
    child.on('close', (code, signal) => {
      process.off('SIGINT', ignore)
      done(code ?? (signal ? 128 + constants.signals[signal] : EXIT.temporary))
    })
  })
}
