// One job from its assignment to its end, the same for every source of work.

import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'

import { reasonOf } from '../lib/base/errno.ts'
import { EXIT, Fatal } from '../lib/base/exit.ts'
import type { Environment } from '../lib/base/settings.ts'
import { BundleError } from '../lib/bundle/bundle.ts'
import type { Verdict } from '../lib/spool/job.ts'
import { warn } from '../lib/system/log.ts'
import { trace } from '../lib/system/trace.ts'
import { buildEnvironment } from './run/environment.ts'
import { writeMeanwhile } from './run/job-writer.ts'
import { readLimits } from './run/limits.ts'
import type { Pools } from './run/places/pools.ts'
import type { Outcome } from './run/plan.ts'
import { runSteps } from './run/run-steps.ts'
import type { Health } from './sources/health.ts'
import type { Assignment } from './sources/assignment.ts'
import { JOB } from '../lib/spool/job-files.ts'

/** The parts of a slave that last from job to job. */
export interface Machine {
  readonly pools: Pools
  readonly health: Health
  readonly host: string
  /** The settings, which those of a job's project stand before. */
  readonly env: Environment
}

/**
 * Runs an assignment to its end and returns the verdict that stands. `drain` tells that the slave is to stop: then the
 * job is lost, and its source gives it to others at once.
 */
export async function runJob(assignment: Assignment, machine: Machine, drain: AbortSignal): Promise<Verdict> {
  const { health } = machine
  const stop = new AbortController()
  const onDrain = () => stop.abort('drain')
  if (drain.aborted) onDrain()
  drain.addEventListener('abort', onDrain)
  const heart = assignment.beat(word => stop.abort(word))
  try {
    const { fault, ...outcome } = await setUpAndRun(assignment, machine, stop.signal)
    const cause = stop.signal.reason === 'drain' ? 'drain' : fault ? 'fault' : 'lost'
    const verdict = await assignment.conclude(outcome, cause)
    if (outcome.verdict === verdict && verdict !== 'lost') health.hasRun()
    if (verdict === 'success' || verdict === 'lost') await assignment.discard()
    return verdict
  } finally {
    heart.stop()
    drain.removeEventListener('abort', onDrain)
  }
}

/** `fault`: the machine failed, and not the work. */
async function setUpAndRun(
  assignment: Assignment,
  { pools, health, host, env }: Machine,
  stop: AbortSignal,
): Promise<Outcome & { readonly fault?: boolean }> {
  const { task, job, work } = assignment
  let told: Promise<void> | undefined
  try {
    if (!(await assignment.begin())) return { verdict: 'cancelled' }
    told = tellWhere(assignment, host, stop)
    told.catch(() => undefined)
    const facts = await assignment.unpack(stop)
    trace('unpacked', task.name)
    if (facts.fault !== undefined) return { verdict: 'error', why: `nothing is run: ${facts.fault}` }
    const limits = readLimits(env, facts.limits)
    const plan = { task, job, work, environment: buildEnvironment(facts, env), limits }
    const outcome = await runSteps(plan, stop, pools)
    // What was done is worth another try.
    await told.catch(() => (stop.aborted ? undefined : tellWhere(assignment, host, stop)))
    await assignment.store(outcome.verdict, stop)
    return outcome
  } catch (error) {
    if (stop.aborted) return { verdict: stop.reason === 'cancelled' ? 'cancelled' : 'lost' }
    const why = `the job could not be set up: ${reasonOf(error)}`
    if (error instanceof BundleError) return { verdict: 'error', why }
    const fault = await health.blame(error)
    if (fault === undefined && error instanceof Fatal && error.exitCode === EXIT.lasting) {
      return { verdict: 'error', why }
    }
    // The system failed, which says nothing of the work: it is done again, but not for ever, unless it is this machine.
    warn('run', task.name, error)
    return {
      verdict: 'lost',
      why: `the slave on ${host} failed: ${fault ?? reasonOf(error)}`,
      fault: fault !== undefined,
    }
  } finally {
    await told?.catch(() => undefined)
  }
}

/** For readers of the job. No step needs it: so it is not waited for, and small work has its first step started before. */
async function tellWhere({ job, work }: Assignment, host: string, stop: AbortSignal): Promise<void> {
  await turn()
  await writeMeanwhile(job, join(job, JOB.host), host + '\n', stop)
  await writeMeanwhile(job, join(job, JOB.work), work + '\n', stop)
}
