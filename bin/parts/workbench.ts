// A temporary directory like a job's: a task, or the working tree, unpacked and run here as a slave would,
// without touching the spool. The steps write into its `job`.

import { join } from 'node:path'

import { token } from '../../lib/system/durable.ts'
import { harmless, harmlessLine } from '../../lib/base/text.ts'
import { setting, sizeLimit } from '../../lib/base/settings.ts'
import { makeDirectories } from '../../lib/system/directories.ts'
import type { TaskName } from '../../lib/spool/task-name.ts'
import { terminalOf } from './terminal.ts'
import { COLOURS } from './verdict-style.ts'
import { buildEnvironment, workPaths } from '../../slave/run/environment.ts'
import type { StepEnvironment } from '../../slave/run/environment.ts'
import { readTaskFacts } from '../../slave/run/facts.ts'
import type { TaskFacts } from '../../slave/run/facts.ts'
import { readLimits } from '../../slave/run/limits.ts'
import type { Limits } from '../../slave/run/limits.ts'
import type { Audience, Outcome, Plan, StopReason } from '../../slave/run/plan.ts'
import { Pools } from '../../slave/run/places/pools.ts'
import { runStepsHere } from '../../slave/run/run-steps.ts'
import { findSteps } from '../../slave/run/steps.ts'
import { makeWork, removeWork, unpackTask, workOf } from '../../slave/run/work.ts'

type Bounds = Pick<Plan, 'until'> & Pick<Audience, 'visit'>

export interface Bench {
  readonly task: TaskName
  readonly work: string
  /** Where the logs and the exit codes of the steps go. */
  readonly job: string
  readonly environment: StepEnvironment
  readonly limits: Limits
}

/** The bench of a task that lies at `from`; `more` is added to the environment where that has not got it. */
export async function layTask(
  task: TaskName,
  from: string,
  work: string,
  more: Readonly<Record<string, string>> = {},
): Promise<Bench> {
  await unpackTask(from, work, sizeLimit('BUNDLE_MAX'))
  return benchOf(task, work, readTaskFacts(from), more)
}

/** The bench of what was put into `work`. */
export function benchOf(
  task: TaskName,
  work: string,
  facts: Pick<TaskFacts, 'revision' | 'ref' | 'params' | 'limits'>,
  more: Readonly<Record<string, string>> = {},
): Bench {
  const { home, tmp, artifacts } = workPaths(work)
  const [job, cache] = [join(work, 'job'), join(work, 'cache')]
  for (const directory of [home, tmp, artifacts, cache, job]) makeDirectories(directory)
  const { values, secrets } = buildEnvironment({ task, work, cache, host: setting('HOST'), ...facts })
  const limits = { ...readLimits(process.env, facts.limits), tmux: false }
  return { task, work, job, environment: { values: { ...more, ...values }, secrets }, limits }
}

/** Runs its steps, or those before `until`, and shows them on standard output; Ctrl-C cancels. */
export async function runBench(bench: Bench, { until, visit }: Bounds = {}): Promise<Outcome> {
  const terminal = terminalOf()
  const stop = new AbortController()
  const cancel = () => stop.abort('cancelled' satisfies StopReason)
  const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const
  for (const name of signals) process.on(name, cancel)
  let rest = ''
  const print = (line: string) => process.stdout.write(harmlessLine(line, terminal.colours) + '\n')
  const flush = () => {
    if (rest !== '') print(rest)
    rest = ''
  }
  try {
    const plan = until === undefined ? bench : { ...bench, until }
    return await runStepsHere(plan, stop.signal, new Pools(), {
      step: name => {
        flush()
        process.stdout.write(terminal.paint('bold', `== ${harmless(name)}`) + '\n')
      },
      output: bytes => {
        const lines = (rest + bytes.toString('utf8')).split('\n')
        rest = lines.pop()!
        for (const line of lines) print(line)
      },
      ...(visit ? { visit } : {}),
    })
  } finally {
    flush()
    for (const name of signals) process.off(name, cancel)
  }
}

/** `== failure: step '20-test' exited with 1`. */
export function tellOutcome({ verdict, why }: Outcome): void {
  const word = terminalOf().paint(COLOURS[verdict], verdict)
  process.stdout.write(`== ${word}${why === undefined ? '' : `: ${harmless(why)}`}\n`)
}

/**
 * Runs the steps before `step`, so that it finds what it found in the job. Returns the outcome, or undefined
 * if there is no step before it.
 */
export async function runBefore(bench: Bench, step: string): Promise<Outcome | undefined> {
  const first = findSteps(workPaths(bench.work).steps).steps[0]
  return first === undefined || first.name === step ? undefined : runBench(bench, { until: step })
}

/** Runs `use` in a new temporary directory, and deletes it unless `use` returns that it shall stay. */
export async function atBench<T extends { readonly keep: boolean }>(
  use: (work: string) => Promise<T>,
): Promise<T> {
  const work = workOf(setting('JOBTMP'), token())
  makeWork(work)
  let keep = false
  try {
    const answer = await use(work)
    keep = answer.keep
    return answer
  } finally {
    if (!keep) await removeWork(work)
  }
}
