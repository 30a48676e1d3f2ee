// From an unpacked task to the logs of its steps: the environment, $PREPARE, each step in order, what they leave behind.
// All of it is written into the job's directory.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'

import { readIfThere } from '../../lib/system/durable.ts'
import { quote } from '../../lib/base/exit.ts'
import { makeDirectories } from '../../lib/system/directories.ts'
import { warn } from '../../lib/system/log.ts'
import { keepArtifacts } from './artifacts.ts'
import { findElsewhere, placeText } from './elsewhere.ts'
import type { Away } from './elsewhere.ts'
import { formatEnvironment, secretValues, workPaths } from './environment.ts'
import { writeMeanwhile, writePlain } from './job-writer.ts'
import type { Limits } from './limits.ts'
import { mask } from './mask.ts'
import type { Audience, Outcome, Plan, StopReason } from './plan.ts'
import { isGood, runStep } from './run-step.ts'
import type { StepPlan, StepResult, TimeLimit } from './run-step.ts'
import { openPlace, prepareIsolation } from './places/open-place.ts'
import type { Place } from './places/place.ts'
import { Pools } from './places/pools.ts'
import { findUser, handOver, takeBack } from './places/step-user.ts'
import type { User } from '../../lib/system/user.ts'
import { findSteps, PREPARE } from './steps.ts'
import type { Step } from './steps.ts'
import { JOB } from '../../lib/spool/job-files.ts'

/**
 * How long after a cancel the steps that always run may take, all of them together: with the second in which the
 * cancel is noticed, and the one a step has after TERM, a job ends within three.
 */
const MERCY = 1900

/** A Fatal where the settings ask for what this machine cannot do. For a program that starts. */
export async function checkLimits(limits: Limits, pools: Pools): Promise<void> {
  await prepareIsolation(limits.isolate, pools)
  if (limits.user !== undefined) findUser(limits.user)
}

/**
 * Runs the steps; `stop.reason` is a StopReason. When this resolves, nothing of the steps is left, and all is written in
 * the job: the caller makes it durable.
 * Fails with a Fatal if the job directory cannot be written, or this machine lacks something; then the verdict is not ours to give.
 */
export async function runSteps(plan: Plan, stop: AbortSignal, pools = new Pools()): Promise<Outcome> {
  if (!plan.limits.tmux) return runStepsHere(plan, stop, pools)
  const { runInTmux } = await import('./tmux.ts')
  return runInTmux(plan, stop)
}

/** As `runSteps`, in this very process, before an audience if there is one. */
export async function runStepsHere(
  plan: Plan,
  stop: AbortSignal,
  pools = new Pools(),
  audience?: Audience,
): Promise<Outcome> {
  try {
    return await new Run(plan, stop, pools, audience).run()
  } catch (error) {
    // Nobody waits for the logs of a job that was to end early; what could not be written is not worth more.
    if (!stop.aborted) throw error
    warn('go on with', plan.job, error)
    return stopped(stop)
  }
}

/** The part of a step's plan that differs from step to step. */
type OwnOfStep = Pick<
  StepPlan,
  'place' | 'name' | 'command' | 'directory' | 'env' | 'user' | 'procs' | 'time'
>

class Run {
  readonly #plan: Plan
  readonly #stop: AbortSignal
  readonly #pools: Pools
  readonly #audience: Audience | undefined
  readonly #begun = performance.now()
  readonly #paths: ReturnType<typeof workPaths>
  readonly #secrets: readonly string[]
  #user: User | undefined
  #away: Away | undefined
  #stoppedAt: number | undefined

  constructor(plan: Plan, stop: AbortSignal, pools: Pools, audience?: Audience) {
    this.#plan = plan
    this.#stop = stop
    this.#pools = pools
    this.#audience = audience
    this.#paths = workPaths(plan.work)
    this.#secrets = secretValues(plan.environment)
  }

  async run(): Promise<Outcome> {
    const { job, work, limits } = this.#plan
    const { home, tmp, artifacts, pkg } = this.#paths
    for (const directory of [home, tmp, artifacts]) makeDirectories(directory)
    writeFileSync(pkg, '')
    if (limits.user !== undefined) this.#user = findUser(limits.user)
    const noteStop = () => (this.#stoppedAt ??= performance.now())
    if (this.#stop.aborted) noteStop()
    this.#stop.addEventListener('abort', noteStop)
    const written = this.#tellEnvironment()
    written.catch(() => undefined)
    try {
      const outcome = await this.#runAll()
      await written
      const packages = mask(readIfThere(pkg) ?? '', this.#secrets)
      await writePlain(join(job, JOB.packages), packages, this.#stop)
      if (!this.#stop.aborted) await this.#keepArtifacts()
      return outcome
    } finally {
      // Whatever fails: the job may go to where it was until now.
      await written.catch(() => undefined)
      this.#stop.removeEventListener('abort', noteStop)
      if (this.#user) await takeBack(work)
    }
  }

  /** Steps do not need it: where the first one starts at once, it is written behind that. */
  async #tellEnvironment(): Promise<void> {
    const { job, environment } = this.#plan
    await turn()
    await writeMeanwhile(job, join(job, JOB.environment), formatEnvironment(environment), this.#stop)
  }

  async #keepArtifacts(): Promise<void> {
    const { job, limits } = this.#plan
    const [from, to] = [this.#paths.artifacts, join(job, JOB.artifacts)]
    // What came from elsewhere is ours.
    const uid = this.#away ? undefined : this.#user?.uid
    const whose = { ...limits.artifacts, ...(uid === undefined ? {} : { uid }) }
    const notes = await keepArtifacts(from, to, whose, this.#stop)
    if (notes.length > 0) await writePlain(join(job, JOB.notes), notes.join('\n') + '\n', this.#stop)
  }

  async #runAll(): Promise<Outcome> {
    const { limits, work, until } = this.#plan
    const { steps, near } = findSteps(this.#paths.steps)
    if (steps.length === 0) {
      return { verdict: 'error', why: 'there are no steps: the steps bundle holds no executable file' }
    }
    if (near !== undefined)
      return { verdict: 'error', why: `${quote(near.name)} stands among the steps and ${near.fault}` }
    if (limits.prepare !== undefined) {
      if (steps.some(({ name }) => name === PREPARE)) {
        return { verdict: 'error', why: `no step can be named ${PREPARE} where $PREPARE is set` }
      }
      const failed = await this.#prepare(limits.prepare)
      if (failed) return failed
    }
    const elsewhere = (this.#away = findElsewhere(this.#plan))
    if (this.#user && !elsewhere) {
      const { code, steps, home, tmp, artifacts } = this.#paths
      const cache = this.#plan.environment.values['BASS_CACHE']
      await handOver(this.#user, work, [code, steps, home, tmp, artifacts, ...(cache ? [cache] : [])])
    }
    if (elsewhere) await writePlain(join(this.#plan.job, JOB.place), placeText(elsewhere), this.#stop)
    const options = { ...limits, elsewhere, user: this.#user, stop: this.#stop, ...this.#directories() }
    const place = await openPlace(options, this.#pools)
    try {
      const due =
        until === undefined
          ? steps
          : steps.slice(
              0,
              steps.findIndex(({ name }) => name === until),
            )
      const outcome = await this.#runEach(due, place)
      await this.#audience?.visit?.(place, outcome)
      if (!this.#stop.aborted) await place.finish?.()
      return outcome
    } finally {
      await place.close()
    }
  }

  #directories(): { readonly work: string; readonly cache: string | undefined } {
    return { work: this.#plan.work, cache: this.#plan.environment.values['BASS_CACHE'] }
  }

  async #runEach(steps: readonly Step[], place: Place): Promise<Outcome> {
    let outcome: Outcome = { verdict: 'success' }
    for (const step of steps) {
      if (this.#stop.aborted) outcome = stopped(this.#stop, outcome.step)
      if (outcome.verdict === 'lost') break
      if (outcome.verdict !== 'success' && !step.always) continue
      outcome = outcomeAfter(outcome, step.name, await this.#runStep(step, place, outcome), this.#stop)
    }
    return outcome
  }

  /** Returns the outcome if the step did not succeed. */
  async #prepare(command: string): Promise<Outcome | undefined> {
    const { work, environment, limits } = this.#plan
    const { isolate, network } = limits
    const place = await openPlace({ isolate, network, ...this.#directories() }, this.#pools)
    const result = await this.#run({
      place,
      name: PREPARE,
      command: ['sh', '-c', command],
      directory: work,
      env: { ...environment.values, BASS_PKG: this.#paths.pkg },
      time: [this.#stepLimit(), this.#jobLimit()],
    }).finally(() => place.close())
    const outcome = outcomeAfter({ verdict: 'success' }, PREPARE, result, this.#stop)
    if (outcome.verdict === 'success') return undefined
    return this.#stop.aborted ? outcome : { ...outcome, verdict: 'error' }
  }

  /** `before` is how things stand when the step begins. */
  #runStep({ name, path }: Step, place: Place, before: Outcome): Promise<StepResult> {
    const { limits, environment } = this.#plan
    return this.#run({
      place,
      name,
      command: [path],
      ...(this.#user ? { user: this.#user } : {}),
      ...(limits.procs === undefined ? {} : { procs: limits.procs }),
      directory: this.#paths.code,
      env: environment.values,
      // A step that runs even after the job's time is up has the time of one step.
      time: before.verdict === 'success' ? [this.#stepLimit(), this.#jobLimit()] : [this.#stepLimit()],
    })
  }

  #run(step: OwnOfStep): Promise<StepResult> {
    const { job, work, limits } = this.#plan
    this.#audience?.step(step.name)
    return runStep({
      ...step,
      job,
      work,
      secrets: this.#secrets,
      pools: this.#pools,
      log: limits.log,
      line: { setting: 'LINE_TIMEOUT', milliseconds: limits.line },
      mercy: this.#stoppedAt === undefined ? Infinity : this.#stoppedAt + MERCY - performance.now(),
      stop: this.#stop.aborted ? NEVER : this.#stop,
      hurry: this.#stop,
      ...(this.#audience ? { tee: this.#audience.output } : {}),
    })
  }

  #stepLimit(): TimeLimit {
    return { setting: 'STEP_TIMEOUT', milliseconds: this.#plan.limits.step }
  }

  #jobLimit(): TimeLimit {
    const left = this.#begun + this.#plan.limits.job - performance.now()
    return { setting: 'JOB_TIMEOUT', milliseconds: left }
  }
}

const NEVER = new AbortController().signal

function stopped(stop: AbortSignal, step?: string): Outcome {
  const verdict = (stop.reason as StopReason) === 'cancelled' ? 'cancelled' : 'lost'
  return step === undefined ? { verdict } : { verdict, step }
}

/** Returns the outcome after a step: the first failure decides, unless a user or the taker ended the job. */
function outcomeAfter(before: Outcome, step: string, { end, limit }: StepResult, stop: AbortSignal): Outcome {
  if (stop.aborted) return stopped(stop, before.step ?? step)
  if (before.verdict !== 'success') return before
  if (limit) return { verdict: 'timeout', step, why: `step ${quote(step)} ${excess(limit)}` }
  if (isGood(end)) return before
  if ('signal' in end)
    return { verdict: 'failure', step, why: `step ${quote(step)} was killed by SIG${end.signal}` }
  return { verdict: 'failure', step, why: `step ${quote(step)} exited with ${end.code}` }
}

const excess = ({ setting, milliseconds }: TimeLimit) =>
  setting === 'LINE_TIMEOUT'
    ? `said nothing for ${milliseconds / 1000} s (${setting})`
    : `was still running when its time was up (${setting})`
