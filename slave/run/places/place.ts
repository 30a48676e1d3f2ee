// A place is where the steps of one job run. Whoever runs steps does not know which place it is.

import type { ProcessEnd } from '../../../lib/spool/job-files.ts'
import type { StepUser } from './step-user.ts'

export interface StepCommand {
  readonly command: readonly string[]
  /** Where it runs. */
  readonly directory: string
  readonly env: Readonly<Record<string, string>>
  /** The user it runs as, if not as ourselves, and how many processes that user may have. */
  readonly user?: StepUser
  readonly procs?: number
  /** Open files for its output, which `start` closes; after a failure they are the caller's. Its input is empty. */
  readonly stdout: number
  readonly stderr: number
}

export interface StepProcess {
  /** How it ended; fails with a Fatal if the system could not start it. */
  readonly ended: Promise<ProcessEnd>
  /** True once it has ended. */
  readonly over: boolean
  /** Asks it to end, and kills it and all that it started after `grace` milliseconds. */
  end(grace: number): void
  /** Ends what it left behind. For once it has ended. */
  leave(): Promise<void>
}

export interface Place {
  /** Starts a step; fails with a Fatal if the place cannot hold one. Steps run one after the other. */
  start(step: StepCommand): Promise<StepProcess>
  /** Ends all that is left of the job here. What the steps were to leave behind is then in the job's own directories. */
  close(): Promise<void>
}
