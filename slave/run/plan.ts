// What is to be run, and what came of it.

import type { Verdict } from '../../lib/spool/job.ts'
import type { TaskName } from '../../lib/spool/task-name.ts'
import type { Environment } from './environment.ts'
import type { Limits } from './limits.ts'

export interface Plan {
  readonly task: TaskName
  /** The job's directory. */
  readonly job: string
  /** A private temporary directory on this machine's own disk, with `code` and `steps` unpacked in it. */
  readonly work: string
  readonly environment: Environment
  readonly limits: Limits
}

/** Who wants a job to end early: a person; nobody any more, it is another's; or whoever stops the taker. */
export type StopReason = 'cancelled' | 'lost' | 'drain'

export interface Outcome {
  readonly verdict: Verdict
  /** The step that decided it. */
  readonly step?: string
  /** A sentence. */
  readonly why?: string
}

/** Somebody who watches. */
export interface Audience {
  /** A step begins. */
  readonly step: (name: string) => void
  /** What it says, on both streams, secrets hidden. */
  readonly output: (bytes: Buffer) => void
}
