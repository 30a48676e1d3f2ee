// A task and its job as people see them, read from their two directories alone. This is the shape of `--json`
// and of the reporter's /api: every key is always present, `null` where it has no value; times are
// milliseconds since 1970, spans are seconds. Text of a slave or a user is unchanged: printing it safely is
// the caller's task.

import { basename, dirname, join } from 'node:path'

import { openIfThere, readIfThere, readSmall, timeOf, timeOfFile } from '../system/durable.ts'
import { listAllIfThere, listIfThere } from '../system/listing.ts'
import { parseParams } from '../spool/event.ts'
import { JOB, STEP, STOPPED, TASK } from '../spool/job-files.ts'
import { parseOwner, VERDICTS } from '../spool/job.ts'
import type { Verdict } from '../spool/job.ts'
import { parseRetryOf } from '../spool/retry.ts'
import type { RetryOf } from '../spool/retry.ts'
import type { TaskId } from '../spool/task-name.ts'
import { parseLabel } from '../base/tai64n.ts'
import type { Whereabouts } from './whereabouts.ts'

export interface TaskView {
  readonly name: TaskId
  readonly num: number
  readonly project: string
  readonly version: string
  readonly arch: string
  /** The one host it is for. */
  readonly host: string | null
  readonly state: 'waiting' | 'running' | 'over'
  readonly revision: string | null
  readonly ref: string | null
  /** The name of its check, where it is that of a line of a Testfile. */
  readonly label: string | null
  /** The lines of the event. */
  readonly params: Readonly<Record<string, string>>
  readonly retryOf: RetryOf | null
  /** How the attempt before was lost, where the same task was tried again, as a farm does. */
  readonly loss: string | null
  readonly priority: number | null
  /** When it was made. */
  readonly made: number | null
  /** True if cancellation was requested. */
  readonly cancelling: boolean
  /** Null while it waits. */
  readonly job: JobView | null
}

export interface JobView {
  /** Null while it runs. */
  readonly verdict: Verdict | null
  readonly host: string | null
  /** The working directory of the taker on that host. */
  readonly slot: string | null
  /** Where its steps run, if not on that host itself: `image IMAGE` or `ssh HOST`. */
  readonly place: string | null
  readonly claimed: number | null
  /** When its first step started. */
  readonly started: number | null
  /** When it got its verdict. */
  readonly ended: number | null
  /** From claim to verdict. */
  readonly seconds: number | null
  /** The last sign of life of a job that runs. */
  readonly beat: number | null
  /** Those that were started, in their order. */
  readonly steps: readonly StepView[]
  /** Why it could not be set up, or another remark on the verdict. */
  readonly error: string | null
  /** The name of the task that was made of it again. */
  readonly retriedAs: string | null
  /** Whether it has a directory of artifacts. */
  readonly artifacts: boolean
  /** Sentences about what a person should know, as that an artifact was left out. */
  readonly notes: readonly string[]
}

/**
 * `cancelled`: it was ended because somebody cancelled the job. `interrupted`: it was ended because the slave was to
 * stop, or it left no exit code and the job is over. Neither says anything of the code.
 */
export const STEP_STATES = [
  'running',
  'success',
  'failure',
  'skipped',
  'timeout',
  'cancelled',
  'interrupted',
] as const

export interface StepView {
  readonly name: string
  readonly state: (typeof STEP_STATES)[number]
  readonly exit: number | null
  /** The signal that killed it, as `KILL`. */
  readonly signal: string | null
  readonly started: number | null
  readonly ended: number | null
  readonly seconds: number | null
}

/** The exit code by which a step says that it had nothing to do. */
const SKIPPED = 77

/**
 * Reads a task and its job: a listing of each and of its steps, and a few small files. Undefined if both have gone
 * meanwhile. The view of a task that is over never changes again, but for `retriedAs`, which may come later: then
 * there is a new task whose `retryOf.parent` has its name. So it can be kept.
 */
export function readView(where: Whereabouts): TaskView | undefined {
  const view = readAt(where)
  const { task, taskAt } = where
  // One that was archived while it was read would lack what a finished one has for ever.
  if (taskAt === undefined || basename(dirname(taskAt)) === 'old' || timeOf(taskAt) !== null) return view
  return readAt({ ...where, taskAt: join(dirname(dirname(taskAt)), 'old', task.name) })
}

function readAt({ task, taskAt, jobAt }: Whereabouts): TaskView | undefined {
  const files = taskAt === undefined ? [] : listAllIfThere(taskAt)
  const job = jobAt === undefined ? null : readJob(jobAt)
  if (files.length === 0 && job === null) return undefined
  const read = (file: string) =>
    taskAt !== undefined && files.includes(file) ? readStamped(join(taskAt, file)) : null
  const revision = read(TASK.revision)
  const retry = read(TASK.retryOf)
  const priority = read('priority')?.text.trim() ?? ''
  return {
    name: task.name,
    num: task.num,
    project: task.project,
    version: task.version,
    arch: task.arch,
    host: task.host ?? null,
    state: job?.verdict ? 'over' : job || files.includes(TASK.claim) ? 'running' : 'waiting',
    revision: revision?.text.trim() || null,
    ref: read(TASK.ref)?.text.replace(/\n$/, '') || null,
    label: read(TASK.label)?.text.replace(/\n$/, '') || null,
    params: parseParams(read(TASK.params)?.text ?? ''),
    retryOf: (retry && parseRetryOf(retry.text)) ?? null,
    loss: read(TASK.loss)?.text.trim() || null,
    priority: /^-?\d{1,9}$/.test(priority) ? Number(priority) : null,
    made: (retry ?? revision)?.time ?? null,
    cancelling: files.includes(TASK.cancel),
    job,
  }
}

/** Reads a job directory; null if it has gone. */
export function readJob(directory: string): JobView | null {
  const files = listAllIfThere(directory)
  if (files.length === 0) return null
  const read = (file: string) => (files.includes(file) ? readStamped(join(directory, file)) : null)
  const result = read(JOB.result)
  const verdict = VERDICTS.find(word => word === result?.text.trim()) ?? null
  const ownerFile = read(JOB.owner)
  const owner = parseOwner(ownerFile?.text ?? '')
  const claimed = ownerFile?.time ?? null
  const ended = verdict ? result!.time : null
  const steps = files.includes(JOB.steps) ? readSteps(join(directory, JOB.steps), verdict !== null) : []
  const starts = steps.map(step => step.started).filter(time => time !== null)
  const started = starts.length > 0 ? Math.min(...starts) : null
  return {
    verdict,
    host: owner?.host ?? (read(JOB.host)?.text.trim() || null),
    slot: owner?.slot ?? null,
    place: read(JOB.place)?.text.trim() || null,
    claimed,
    started,
    ended,
    seconds: span(beginOf({ claimed, started }), ended),
    beat: verdict ? null : timeOf(join(directory, JOB.alive)),
    steps,
    error: read(JOB.error)?.text.trim() || null,
    retriedAs: read(JOB.retriedAs)?.text.trim() || null,
    artifacts: files.includes(JOB.artifacts),
    notes: (read(JOB.notes)?.text ?? '').split('\n').filter(Boolean),
  }
}

/**
 * The instant from which commands and pages alike count the time of a job, in milliseconds since 1970: its claim, or its
 * first step where that is not written down; null if neither is.
 */
export const beginOf = (job: Pick<JobView, 'claimed' | 'started'> | null): number | null =>
  job?.claimed ?? job?.started ?? null

/** How long a job took, or has been running at `now`, in seconds; null if its begin is not known. */
export function runningFor(job: JobView | null, now: number): number | null {
  if (job?.verdict) return job.seconds
  const begin = beginOf(job)
  return begin === null ? null : Math.max(0, now - begin) / 1000
}

function readSteps(directory: string, over: boolean): StepView[] {
  return listIfThere(directory)
    .sort()
    .map(name => readStep(join(directory, name), name, over))
}

function readStep(directory: string, name: string, over: boolean): StepView {
  const started = parseLabel(readIfThere(join(directory, STEP.started))?.trim() ?? '') ?? null
  const code = readStamped(join(directory, STEP.exit))
  const how = parseExit(code?.text ?? '')
  // The label is when it ended by the slave's clock; without one, the exit code was written right after.
  const ended = code && (parseLabel(readIfThere(join(directory, STEP.ended))?.trim() ?? '') ?? code.time)
  const stopped = how?.state === 'failure' ? readIfThere(join(directory, STOPPED))?.trim() : undefined
  const state = stopped ? stateOfStopped(stopped) : (how?.state ?? (over ? 'interrupted' : 'running'))
  return {
    name,
    state,
    exit: how?.exit ?? null,
    signal: how?.signal ?? null,
    started: started === null ? null : Math.round(started),
    ended: ended === null ? null : Math.round(ended),
    seconds: span(started, ended),
  }
}

const stateOfStopped = (reason: string) => (reason === 'cancelled' ? 'cancelled' : 'interrupted')

/** Parses `exitcode.txt`; undefined if it is malformed. Pure. */
export function parseExit(
  text: string,
): { state: StepView['state']; exit?: number; signal?: string } | undefined {
  const word = text.trim()
  if (word === 'timeout') return { state: 'timeout' }
  const signal = /^signal (?:SIG)?(\w{1,16})$/.exec(word)
  if (signal) return { state: 'failure', signal: signal[1]! }
  if (!/^\d{1,10}$/.test(word)) return undefined
  const exit = Number(word)
  return { state: exit === 0 ? 'success' : exit === SKIPPED ? 'skipped' : 'failure', exit }
}

/** The step that ended a job, or that it is at: the first that is no good; undefined if all are. Pure. */
export const decisiveStep = ({ steps }: Pick<JobView, 'steps'>): StepView | undefined =>
  steps.find(({ state }) => state !== 'success' && state !== 'skipped')

/** The pusher, where the server named one (see hooks/post-receive), and the other parameters. Pure. */
export function pusherOf({ params: { PUSHER: pusher, ...params } }: Pick<TaskView, 'params'>): {
  readonly pusher: string | undefined
  readonly params: Readonly<Record<string, string>>
} {
  return { pusher, params }
}

interface Stamped {
  readonly text: string
  /** When it was written, in milliseconds since 1970. */
  readonly time: number
}

// One open serves both, and asks the server of an NFS mount where a look-up would answer from memory.
const readStamped = (path: string): Stamped | null =>
  openIfThere(path, (fd, stat) => ({ text: readSmall(fd, stat) ?? '', time: timeOfFile(stat) })) ?? null

/** Seconds from one instant to another, to the millisecond; two hosts' clocks may make it negative: then it is 0. */
function span(from: number | null, to: number | null): number | null {
  return from === null || to === null ? null : Math.max(0, Math.round(to - from) / 1000)
}
