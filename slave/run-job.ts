// One job from its claim to its archive: the states T2 to T5 of the design, as its slave takes them.

import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { BundleError } from '../lib/bundle/bundle.ts'
import { claim } from '../lib/spool/claim.ts'
import { listNow, lists } from '../lib/system/durable.ts'
import { reasonOf } from '../lib/base/errno.ts'
import { EXIT, Fatal, quote } from '../lib/base/exit.ts'
import { explain, formatVerdict, giveVerdict } from '../lib/spool/job.ts'
import type { Owner, Verdict } from '../lib/spool/job.ts'
import { warn } from '../lib/system/log.ts'
import { finish } from '../lib/spool/lose.ts'
import type { Cause } from '../lib/spool/retry.ts'
import { duration } from '../lib/base/settings.ts'
import type { TaskName } from '../lib/spool/task-name.ts'
import { trace } from '../lib/system/trace.ts'
import { buildEnvironment } from './run/environment.ts'
import { readFacts } from './run/facts.ts'
import { startHeartbeat } from './heartbeat.ts'
import { persistJob, writePlain } from './run/job-writer.ts'
import { readLimits } from './run/limits.ts'
import type { Outcome } from './run/plan.ts'
import type { Pools } from './run/places/pools.ts'
import { runSteps } from './run/run-steps.ts'
import type { Slot } from './slot.ts'
import { makeWork, unpackTask, workOf } from './run/work.ts'

/**
 * Claims a task and runs its job to the end. Answers the verdict that stands, or undefined if somebody else has the
 * task. `drain` tells that the taker is to stop: then the job is lost and its task published again at once.
 */
export async function takeTask(
  slot: Slot,
  task: TaskName,
  pools: Pools,
  drain: AbortSignal,
): Promise<Verdict | undefined> {
  const owner = slot.newOwner()
  const job = claim(slot.spool, task.name, owner)
  if (job === undefined) return undefined
  slot.lastNumber = task.num

  const stop = new AbortController()
  const onDrain = () => stop.abort('drain')
  if (drain.aborted) onDrain()
  drain.addEventListener('abort', onDrain)
  const directory = join(slot.spool.tasks.cur, task.name)
  const heart = startHeartbeat(job, directory, duration('LOST_AFTER'), word => stop.abort(word))
  try {
    const outcome = await setUpAndRun(slot, task, job, owner, pools, stop)
    const verdict = await conclude(
      slot,
      task.name,
      job,
      outcome,
      stop.signal.reason === 'drain' ? 'drain' : 'lost',
    )
    if (verdict === 'success' || verdict === 'lost') await slot.discard(task.name)
    return verdict
  } finally {
    heart.stop()
    drain.removeEventListener('abort', onDrain)
  }
}

/** What came of the steps, and the durable file that holds its verdict where there is one. */
interface Ended extends Outcome {
  readonly prepared?: string
}

async function setUpAndRun(
  slot: Slot,
  task: TaskName,
  job: string,
  owner: Owner,
  pools: Pools,
  stop: AbortController,
): Promise<Ended> {
  const directory = join(slot.spool.tasks.cur, task.name)
  if (listNow(directory).includes('cancel')) return { verdict: 'cancelled' }
  try {
    const work = workOf(owner.token)
    // First of all, so that there is never one that nobody knows.
    slot.remember(task.name, work)
    makeWork(work)
    await writePlain(join(job, 'host.txt'), slot.host + '\n', stop.signal)
    await writePlain(join(job, 'tmp-path.txt'), work + '\n', stop.signal)
    await unpackTask(directory, work, stop.signal)
    trace('unpacked', task.name)
    const facts = { task, host: slot.host, ...readFacts(directory), work, cache: slot.cache(task.project) }
    const plan = { task, job, work, environment: buildEnvironment(facts), limits: readLimits() }
    const outcome = await runSteps(plan, stop.signal, pools)
    // What the verdict will be is made durable together with what it says it of: that saves a commit of a journal.
    const prepared = join(job, `.new.${owner.token}`)
    await writePlain(prepared, formatVerdict(outcome.verdict), stop.signal)
    await persistJob(job, stop.signal)
    return { ...outcome, prepared }
  } catch (error) {
    if (stop.signal.aborted) return { verdict: stop.signal.reason === 'cancelled' ? 'cancelled' : 'lost' }
    const why = `the job could not be set up: ${reasonOf(error)}`
    if (error instanceof BundleError || (error instanceof Fatal && error.exitCode === EXIT.lasting)) {
      return { verdict: 'error', why }
    }
    // The system failed, which says nothing of the work: it is done again, but not for ever.
    warn('run', task.name, error)
    return { verdict: 'lost', why: `the slave on ${slot.host} failed: ${reasonOf(error)}` }
  }
}

/**
 * Gives the job its verdict and brings it as far as its slave does. A file system that is full or away does not turn a
 * success into a loss: the heartbeat goes on, and this tries until it is done or others have ended the job.
 */
async function conclude(
  slot: Slot,
  name: string,
  job: string,
  { verdict, why, prepared }: Ended,
  cause: Cause,
): Promise<Verdict> {
  let file = prepared
  for (let wait = 500; ; wait = Math.min(2 * wait, 10_000)) {
    try {
      if (why !== undefined) explain(job, why)
      const { stands } = giveVerdict(job, verdict, file)
      // A verdict that is not ours is another's to finish.
      if (stands === verdict) finish(slot.spool, name, stands, cause)
      return stands
    } catch (error) {
      // Its name may be gone.
      file = undefined
      if (!lists(slot.spool.jobs.cur, name)) return 'lost'
      warn('end', quote(name), error)
      await sleep(wait)
    }
  }
}
