// The work of a job, and its outcome.

import type { Verdict } from '../../lib/spool/job.ts'
import type { TaskName } from '../../lib/spool/task-name.ts'
import type { StepEnvironment } from './environment.ts'
import type { Limits } from './limits.ts'
import type { Place } from './places/place.ts'
import type { Path } from '../../lib/base/brand.ts'

export interface Plan {
  readonly task: TaskName
  /** The job's directory. */
  readonly job: Path
  /** A private temporary directory on this machine's own disk, with `code` and `steps` unpacked in it. */
  readonly work: string
  readonly environment: StepEnvironment
  readonly limits: Limits
  /** Neither this step nor any after it is run. */
  readonly until?: string
}

/** Why a job ends early: a user cancelled it; it was lost to another; or the taker is told to stop. */
export type StopReason = 'cancelled' | 'lost' | 'drain'

export interface Outcome {
  readonly verdict: Verdict
  /** The step that decided it. */
  readonly step?: string
  /** A sentence. */
  readonly why?: string
}

/** An observer of the steps. */
export interface Audience {
  /** A step begins. */
  readonly step: (name: string) => void
  /** Receives its output, both streams, with secrets hidden. */
  readonly output: (bytes: Buffer) => void
  /** The steps are over, and their place is still there, with what they left. */
  readonly visit?: (place: Place, outcome: Outcome) => Promise<void>
}
