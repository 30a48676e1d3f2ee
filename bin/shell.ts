// bass shell: a shell where the step that failed started, here or in a container like the failed step's.

import { constants } from 'node:os'
import { join } from 'node:path'

import { command } from '../lib/system/command.ts'
import { readIfThere } from '../lib/system/durable.ts'
import { start } from '../lib/system/run.ts'
import { parseEnvironment } from './parts/env-file.ts'
import { EXIT, lasting, quote, temporary } from '../lib/base/exit.ts'
import { findOne } from './views/find-task.ts'
import { harmless } from '../lib/base/text.ts'
import { decisiveStep, readView } from '../lib/view/view.ts'
import type { TaskView } from '../lib/view/view.ts'
import { EXIT_OF } from './parts/verdict-style.ts'
import { findElsewhere } from '../slave/run/elsewhere.ts'
import { workPaths } from '../slave/run/environment.ts'
import type { Place } from '../slave/run/places/place.ts'
import type { Outcome } from '../slave/run/plan.ts'
import { findSteps } from '../slave/run/steps.ts'
import { atBench, runBefore, runBench, tellOutcome, layTask } from './parts/workbench.ts'
import type { Bench } from './parts/workbench.ts'
import { JOB } from '../lib/spool/job-files.ts'
import { openSpoolHere } from './views/open.ts'

export const verb = command(
  {
    name: 'bass shell',
    usage: '[--fresh] [--keep] TASK',
    operands: [1, 1],
    about: `Opens a shell where the step that failed started, by this machine and without touching the spool.

TASK is a number, a name, a revision or its beginning, PROJECT[/REF], or 'last'. The task is
unpacked below JOBTMP as a slave does it, the steps before the one that failed are run, and then
SHELL is started in the code, with the environment that the step had. The steps are in $BASS_STEPS,
the one that failed is $BASS_STEP. Everything is deleted when the shell ends. Exits as the shell
does.

A task whose steps run in a container, or on another machine, gets a container of the same image, or a
directory on that machine; the shell is bash there, or else sh. Of what is there, --keep keeps artifacts.`,
    options: {
      fresh: { type: 'boolean', about: 'do not run the steps before it' },
      keep: { type: 'boolean', about: 'leave the files there, and say where' },
    },
    environment: {
      SPOOL: 'the spool',
      SHELL: 'the shell to start',
      IMAGE: 'as for a slave, if the task does not say; so are RUN_IN and CONTAINER',
      JOBTMP: 'where the task is unpacked',
      BUNDLE_MAX: 'how large it may be',
      PREPARE: 'a command to run before the steps',
    },
  },
  async ([text], { fresh, keep }) => {
    const spool = openSpoolHere()
    const where = findOne(spool, text!)
    const view = readView(where)
    const { taskAt } = where
    if (!view || taskAt === undefined)
      throw lasting(`unpack ${quote(where.task.name)}`, 'its task was pruned')
    // Variables of the slave's environment that this machine lacks.
    const more = parseEnvironment((where.jobAt && readIfThere(join(where.jobAt, JOB.environment))) ?? '')
    const { code } = await atBench(async work => {
      const bench = await layTask(where.task, taskAt, work, more)
      const step = firstFailure(view) ?? findSteps(workPaths(work).steps).steps[0]?.name
      const code = findElsewhere(bench)
        ? await openThere(bench, step, fresh)
        : await openHere(bench, step, fresh)
      if (keep) process.stderr.write(`the files are in ${work}\n`)
      return { code, keep }
    })
    return code
  },
)

const firstFailure = ({ job }: TaskView): string | undefined => (job ? decisiveStep(job)?.name : undefined)

/** The variables of this environment that the shell keeps. */
const TERMINAL: readonly string[] = ['TERM', 'COLORTERM', 'SHELL']

async function openHere(bench: Bench, step: string | undefined, fresh: boolean): Promise<number> {
  const outcome = step === undefined || fresh ? undefined : await runBefore(bench, step)
  const { environment, work } = bench
  const at = whereTo(step, outcome)
  // Not a setting of BASS: a login sets it.
  const shell = process.env['SHELL'] || 'sh'
  const terminal = Object.entries(process.env).filter(([name]) => TERMINAL.includes(name))
  const env = { ...environment.values, ...Object.fromEntries(terminal), ...stepVariable(work, at) }
  return runShell([shell], { cwd: workPaths(work).code, env })
}

/** In a container, or on another machine, the steps before it run in the very place that the shell is then in. */
async function openThere(bench: Bench, step: string | undefined, fresh: boolean): Promise<number> {
  const { environment, work } = bench
  const { code, steps } = workPaths(work)
  const until = fresh ? findSteps(steps).steps[0]?.name : step
  let exit: number | undefined
  const visit = async (place: Place, outcome: Outcome) => {
    const at = whereTo(step, outcome)
    const { TERM = 'dumb' } = process.env
    const env = { ...environment.values, TERM, ...stepVariable(work, at) }
    const [program, ...args] = await place.shell!({ directory: code, env })
    exit = await runShell([program!, ...args], {})
  }
  const outcome = await runBench(bench, { ...(until === undefined ? {} : { until }), visit })
  if (exit !== undefined) return exit
  tellOutcome(outcome)
  return EXIT_OF[outcome.verdict]
}

/** Says where the shell is: before the step, or before one that failed on the way to it. */
function whereTo(step: string | undefined, outcome: Outcome | undefined): string | undefined {
  const failed = outcome !== undefined && outcome.verdict !== 'success'
  if (failed) tellOutcome(outcome)
  const at = failed ? (outcome.step ?? step) : step
  if (at !== undefined) process.stderr.write(`here starts ${harmless(at)}: "$BASS_STEP" runs it\n`)
  return at
}

const stepVariable = (work: string, step: string | undefined) =>
  step === undefined ? {} : { BASS_STEP: join(workPaths(work).steps, step) }

function runShell(
  command: readonly [string, ...string[]],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv },
): Promise<number> {
  const child = start(command, { ...options, stdio: 'inherit' })
  // Ctrl-C is meant for what runs in the shell.
  const ignore = () => undefined
  process.on('SIGINT', ignore)
  return new Promise((done, fail) => {
    child.on('error', error => fail(temporary(`start the shell ${quote(command[0])}`, error)))
    child.on('close', (code, signal) => {
      process.off('SIGINT', ignore)
      done(code ?? (signal ? 128 + constants.signals[signal] : EXIT.temporary))
    })
  })
}
