// The names of the files in a task and in a job: no other place knows them. Pure.

import { join } from 'node:path'
import type { Path } from '../base/brand.ts'

/** A task: its two bundles, what they are of, and what became of it. */
export const TASK = {
  code: 'code.tar',
  steps: 'steps.tar',
  revision: 'code-revision.txt',
  ref: 'ref.txt',
  params: 'params.txt',
  label: 'label.txt',
  limits: 'limits.txt',
  /** Why nothing of it can be run. */
  error: 'error.txt',
  /** The owner that has it. */
  claim: 'claim',
  /** Empty: somebody wants it to end. */
  cancel: 'cancel',
  retryOf: 'retry-of.txt',
  /** Of a farm's job that is tried again: how the attempt before was lost. */
  loss: 'loss.txt',
} as const

/** A job. `steps` and `artifacts` are directories. */
export const JOB = {
  owner: 'owner.txt',
  /** Its times are the heartbeat. */
  alive: 'alive',
  result: 'result.txt',
  error: 'error.txt',
  retriedAs: 'retried-as.txt',
  host: 'host.txt',
  /** The path of the temporary directory. */
  work: 'tmp-path.txt',
  /** Where its steps run, if not on that host itself: `image IMAGE` or `ssh HOST`. */
  place: 'place.txt',
  /** Remarks for people, a line each. */
  notes: 'notes.txt',
  environment: 'env.txt',
  packages: 'pkg.txt',
  steps: 'steps',
  artifacts: 'artifacts',
} as const

/** A step of a job. */
export const STEP = {
  started: 'started',
  stdout: 'stdout.txt',
  stderr: 'stderr.txt',
  ended: 'ended',
  /** Written last of all. */
  exit: 'exitcode.txt',
} as const

/** The directory of a step. */
export const stepDirectory = (job: Path, step: string): string => join(job, JOB.steps, step)

/**
 * Beside the exit code of a step that was ended by us, for no fault of its own: the reason in a word, `cancelled`, `lost`
 * or `drain`.
 */
export const STOPPED = 'stopped.txt'

/** How a process ended: with a code of its own, or by a signal (`KILL`). */
export type ProcessEnd = { readonly code: number } | { readonly signal: string }

/** The content of `exitcode.txt`. */
export function formatEnd(end: ProcessEnd | 'timeout'): string {
  if (end === 'timeout') return 'timeout\n'
  return 'code' in end ? `${end.code}\n` : `signal ${end.signal}\n`
}
