// steps-runner: runs steps without a spool around them.

import { constants } from 'node:os'
import { basename, join, resolve } from 'node:path'

import { command, runMain } from '../lib/system/command.ts'
import { readIfThere } from '../lib/system/durable.ts'
import { listIfThere } from '../lib/system/listing.ts'
import { EXIT, lasting, quote } from '../lib/base/exit.ts'
import { say } from '../lib/system/log.ts'
import { setting } from '../lib/base/settings.ts'
import { parseTaskName } from '../lib/spool/task-name.ts'
import { parseExit } from '../lib/view/view.ts'
import { buildEnvironment } from './run/environment.ts'
import { readTaskFacts } from './run/facts.ts'
import { ISOLATION_HELP } from './run/places/open-place.ts'
import { persistJob } from './run/job-writer.ts'
import { LIMITS_HELP, readLimits } from './run/limits.ts'
import type { Outcome } from './run/plan.ts'
import { runSteps } from './run/run-steps.ts'
import type { Path } from '../lib/base/brand.ts'
import { makeDirectories } from '../lib/system/directories.ts'
import { JOB, STEP, stepDirectory } from '../lib/spool/job-files.ts'

export const stepsRunner = command(
  {
    name: 'steps-runner',
    usage: 'JOB [TASK]',
    operands: [1, 2],
    about: `Runs the steps of the current directory into a job directory.

The current directory holds 'code' and 'steps'. Each executable file in 'steps' runs in 'code', in the order
of their names, until one fails; one named NAME.always runs in any case. Exit code 77 means skipped. Each
leaves 'started', 'stdout.txt', 'stderr.txt', 'ended' and 'exitcode.txt' in JOB/steps/NAME. TASK is a task's
directory, whose files tell the revision; without it the name of JOB must be that of a task. TERM cancels:
the step has a second, and steps that always run have two in all.

${ISOLATION_HELP}`,
    environment: LIMITS_HELP,
    exits: {
      '99': 'timed out',
      '128+n': 'ended by a signal, itself or the failing step',
      other: 'the code of the step that failed',
    },
  },
  async ([to, from]) => {
    const job = resolve(to!)
    const source = from === undefined ? job : resolve(from)
    const task = parseTaskName(basename(source))
    if (!task) throw lasting(`run the steps of ${quote(source)}`, 'its name is not that of a task')
    if (listIfThere(job).includes(JOB.steps))
      throw lasting(`run steps into ${quote(job)}`, 'it holds steps already')
    makeDirectories(job)
    const work = process.cwd()
    const cache = join(work, 'cache')
    makeDirectories(cache)
    const facts = { task, host: setting('HOST'), work, cache, ...readTaskFacts(source) }
    const limits = readLimits(process.env, facts.limits)
    const plan = { task, job, work, environment: buildEnvironment(facts), limits }

    const stop = new AbortController()
    const cancel = () => stop.abort('cancelled')
    const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const
    for (const name of signals) process.on(name, cancel)
    try {
      const outcome = await runSteps(plan, stop.signal)
      await persistJob(job, stop.signal)
      if (outcome.why !== undefined) say('info', outcome.why)
      return exitCodeOf(job, outcome)
    } finally {
      for (const name of signals) process.off(name, cancel)
    }
  },
)

function exitCodeOf(job: Path, { verdict, step }: Outcome): number {
  if (verdict === 'success') return EXIT.done
  if (verdict === 'timeout') return EXIT.timeout
  if (verdict === 'cancelled') return 128 + constants.signals.SIGTERM
  if (verdict !== 'failure' || step === undefined) return verdict === 'error' ? EXIT.lasting : EXIT.temporary
  const end = parseExit(readIfThere(join(stepDirectory(job, step), STEP.exit)) ?? '')
  if (end?.signal !== undefined) return 128 + constants.signals[`SIG${end.signal}` as NodeJS.Signals]
  return end?.exit ?? EXIT.temporary
}

if (require.main === module) runMain(stepsRunner)
