// One step from its start to its end, whatever ends it: its process, its log, its time.

import { closeSync } from 'node:fs'
import { dirname, join } from 'node:path'

import { STEP, STOPPED, formatEnd, stepDirectory } from '../../lib/spool/job-files.ts'
import type { ProcessEnd } from '../../lib/spool/job-files.ts'
import { now } from '../../lib/base/tai64n.ts'
import { TIMER_MAX_MS } from '../../lib/base/timer.ts'
import { trace } from '../../lib/system/trace.ts'
import { canHang, makeJobDirectory, openFile, writeMeanwhile, writePlain, writeWhole } from './job-writer.ts'
import type { StopReason } from './plan.ts'
import type { OwnPipes, Place, StepCommand, StepProcess } from './places/place.ts'
import type { Pools } from './places/pools.ts'
import { Silence } from './silence.ts'
import { LogWriter } from './step-log.ts'
import type { LogOptions } from './step-log.ts'
import type { Path } from '../../lib/base/brand.ts'

export interface StepPlan extends Omit<StepCommand, 'stdout' | 'stderr'> {
  readonly name: string
  /** The job's directory, and its temporary directory. */
  readonly job: Path
  readonly work: string
  readonly secrets: readonly string[]
  readonly place: Place
  readonly pools: Pools
  /** Bytes of log it may write. */
  readonly log: number
  /** Milliseconds it may be silent, and may take; each with the setting that says so. */
  readonly line: TimeLimit
  readonly time: readonly TimeLimit[]
  /** Milliseconds after which it is killed, which is no timeout: the job was cancelled. */
  readonly mercy: number
  /** Ends it: TERM, and KILL a second later; KILL at once where the reason is `lost`. */
  readonly stop: AbortSignal
  /** From here on an error of the job's directory is not waited out. */
  readonly hurry: AbortSignal
  /** Sees the output of both streams, secrets hidden. */
  readonly tee?: (bytes: Buffer) => void
}

export interface TimeLimit {
  readonly setting: string
  readonly milliseconds: number
}

/** The exit code by which a step says that it had nothing to do. */
const SKIPPED = 77

/** True of a step that ended as it should. Pure. */
export const isGood = (end: ProcessEnd): boolean => 'code' in end && (end.code === 0 || end.code === SKIPPED)

export interface StepResult {
  readonly end: ProcessEnd
  /** The limit that it ran into. */
  readonly limit?: TimeLimit
  /** True if it was told to end before it did, since nobody waits for the job any more. */
  readonly stopped: boolean
}

/** Time from TERM to KILL in milliseconds: after a timeout, and after a cancel. */
const STEP_GRACE_MS = { timeout: 5000, stop: 1000 } as const

/** How long to read from a pipe when all that was found of a step is dead: only what escaped holds it open so long. */
const LAST_WORDS = 500

/** Runs a step; fails with a Fatal if the job directory cannot be written. Nothing of the step is left afterwards. */
export async function runStep(plan: StepPlan): Promise<StepResult> {
  const directory = stepDirectory(plan.job, plan.name)
  for (const path of [dirname(directory), directory]) await makeJobDirectory(path, plan.hurry)
  const paths = [STEP.stdout, STEP.stderr].map(name => join(directory, name))
  const files: number[] = []
  try {
    for (const path of paths) files.push(await openFile(path, plan.hurry))
    const result = await execute(plan, paths, files, () =>
      writeMeanwhile(plan.job, join(directory, STEP.started), now() + '\n', plan.hurry),
    )
    await writePlain(join(directory, STEP.ended), now() + '\n', plan.hurry)
    if (result.stopped && !isGood(result.end)) {
      await writePlain(join(directory, STOPPED), `${plan.hurry.reason as StopReason}\n`, plan.hurry)
    }
    await writeWhole(join(directory, STEP.exit), formatEnd(result.limit ? 'timeout' : result.end), plan.hurry)
    return result
  } finally {
    for (const file of files) closeSync(file)
  }
}

async function execute(
  plan: StepPlan,
  paths: readonly string[],
  files: readonly number[],
  noteStart: () => Promise<void>,
): Promise<StepResult> {
  const { pipes, give } = (await plan.place.pipes?.(plan.work)) ?? (await pooled(plan))
  const ends = pipes.map(pipe => pipe.open())
  const [stdout, stderr] = ends.map(({ writer }) => writer) as [number, number]
  const step = await plan.place.start({ ...plan, stdout, stderr }).catch((error: unknown) => {
    for (const { reader, writer } of ends) for (const end of [reader, writer]) closeSync(end)
    give(true)
    throw error
  })
  trace('step started', plan.name)
  const options: Omit<LogOptions, 'path'> = {
    secrets: plan.secrets,
    buffers: plan.pools.buffers,
    budget: {
      left: plan.log,
      notice: `the log is cut here: LOG_MAX allows ${plan.log} bytes; the step goes on`,
    },
    canHang: canHang(plan.job),
    heard: () => clock.heard(),
    stop: plan.hurry,
    ...(plan.tee ? { tee: plan.tee } : {}),
  }
  const logs = ends.map(({ reader }, i) => new LogWriter(reader, files[i]!, { ...options, path: paths[i]! }))
  const writable = () => logs.every(log => !log.writing)
  const clock = new Clock(plan, step, writable)
  // While it gets under way, which takes it longer. What cannot be written any more ends the step.
  const written = [noteStart(), ...logs.map(log => log.ended)]
  for (const end of written) end.catch(() => step.end(STEP_GRACE_MS.stop))

  const [ended] = await Promise.allSettled([step.ended])
  clock.stop()
  trace('step ended', plan.name)
  // Also of one that could not be started: its place has something open for it.
  await step.leave()
  const lastWords = new Silence(LAST_WORDS, writable, () => {
    for (const log of logs) log.close()
  })
  try {
    // All of them, whichever fails: nothing of it is written after its files are closed.
    const ends = await Promise.allSettled(written)
    for (const end of [ended, ...ends]) if (end.status === 'rejected') throw end.reason
  } finally {
    lastWords.stop()
    give(logs.every(log => log.drained))
  }
  const { limit, stopped } = clock
  const end = await step.ended
  return limit ? { end, limit, stopped } : { end, stopped }
}

async function pooled({ pools, work }: StepPlan): Promise<OwnPipes> {
  const pipes = await pools.pipes.take(work)
  return { pipes, give: drained => pools.pipes.give(pipes, drained) }
}

/** All that ends a step before it ends itself. */
class Clock {
  /** The limit that it ran into. */
  limit: TimeLimit | undefined
  /** True if it was told to end for another reason. */
  stopped = false
  readonly #step: StepProcess
  readonly #silence: Silence
  readonly #timers: NodeJS.Timeout[]
  readonly #stop: AbortSignal
  // One that was lost may run elsewhere already: there is no time to be asked.
  readonly #asked = () => this.#stopIn(this.#stop.reason === 'lost' ? 0 : STEP_GRACE_MS.stop)

  constructor(plan: StepPlan, step: StepProcess, able: () => boolean) {
    this.#step = step
    this.#silence = new Silence(plan.line.milliseconds, able, () => this.#timeOut(plan.line))
    this.#timers = plan.time
      .filter(({ milliseconds }) => milliseconds < TIMER_MAX_MS)
      .map(limit => setTimeout(() => this.#timeOut(limit), limit.milliseconds))
    if (plan.mercy < TIMER_MAX_MS) this.#timers.push(setTimeout(() => this.#stopIn(0), plan.mercy))
    this.#stop = plan.stop
    this.#stop.addEventListener('abort', this.#asked)
    if (this.#stop.aborted) this.#asked()
  }

  heard(): void {
    this.#silence.heard()
  }

  stop(): void {
    this.#silence.stop()
    for (const timer of this.#timers) clearTimeout(timer)
    this.#stop.removeEventListener('abort', this.#asked)
  }

  /** `grace`: milliseconds from TERM to KILL. */
  #stopIn(grace: number): void {
    if (this.#step.over) return
    if (!this.limit) this.stopped = true
    this.#step.end(grace)
  }

  #timeOut(limit: TimeLimit): void {
    // Timers run before we hear that a process has ended: it may have been in time, and we were stopped.
    setImmediate(() => {
      if (this.#step.over || this.#stop.aborted) return
      this.limit ??= limit
      this.#step.end(STEP_GRACE_MS.timeout)
    })
  }
}
