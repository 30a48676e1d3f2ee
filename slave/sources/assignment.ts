// Where a slave's work comes from. A source gives out assignments one at a time; the slave runs each of them in the same
// way, wherever it came from: out of a spool (`spool.ts`), or from a farmer over HTTP (`farm.ts`).

import type { Verdict } from '../../lib/spool/job.ts'
import type { Cause } from '../../lib/spool/retry.ts'
import type { TaskName } from '../../lib/spool/task-name.ts'
import type { TaskFacts } from '../run/facts.ts'
import type { Outcome } from '../run/plan.ts'
import type { Path } from '../../lib/base/brand.ts'

/** A job that is this slave's to run. */
export interface Assignment {
  readonly task: TaskName
  /** The job's directory. It is there; what the slave writes into it reaches its readers. */
  readonly job: Path
  /** The temporary directory for the steps. `begin` makes it. */
  readonly work: string
  /** Tells others that the job is alive, until stopped. `onWord` is called once, when the job is to end early. */
  beat(onWord: (word: 'cancelled' | 'lost') => void): Heartbeat
  /** Makes the temporary directory; returns false, and makes nothing, if somebody has cancelled the job already. */
  begin(): boolean | Promise<boolean>
  /**
   * Puts `code` and `steps` into the temporary directory. Fails with a BundleError or a lasting Fatal where the task is
   * at fault; any other error is the system's.
   */
  unpack(stop: AbortSignal): Promise<TaskFacts>
  /** Stores what the steps wrote, and the verdict to be, where `conclude` needs them. */
  store(verdict: Verdict, stop: AbortSignal): Promise<void>
  /**
   * Ends the job, however long that takes, and returns the verdict that stands: another's, if there is one. `cause` says
   * why, where the verdict is `lost`.
   */
  conclude(outcome: Outcome, cause: Cause): Promise<Verdict>
  /** Removes the temporary directory. */
  discard(): Promise<void>
}

export interface Heartbeat {
  stop(): void
}

export interface WorkSource {
  /** Ends what died here with an earlier process. For a slave that starts. */
  endDead(): Promise<void>
  /** Waits for the next assignment; undefined when the slave is to end. */
  next(): Promise<Assignment | undefined>
  close(): Promise<void>
}
