// A place is where the steps of one job run. The caller does not know which place it is.

import type { ProcessEnd } from '../../../lib/spool/job-files.ts'
import type { Pipes } from './pipes.ts'
import type { User } from '../../../lib/system/user.ts'

export interface StepCommand {
  readonly command: readonly string[]
  /** Where it runs. */
  readonly directory: string
  readonly env: Readonly<Record<string, string>>
  /** The user it runs as, if not as ourselves, and how many processes that user may have. */
  readonly user?: User
  readonly procs?: number
  /** Open files for its output, which `start` closes; after a failure they are the caller's. */
  readonly stdout: number
  readonly stderr: number
  /** An open file for its input, likewise; without one that is empty. */
  readonly stdin?: number
}

export interface StepProcess {
  /** How it ended; fails with a Fatal if the system could not start it. */
  readonly ended: Promise<ProcessEnd>
  /** True once it has ended. */
  readonly over: boolean
  /** Asks it to end, and kills it and all that it started after `grace` milliseconds. */
  end(grace: number): void
  /** Sends a signal to its group of processes. */
  signal(name: NodeJS.Signals): void
  /** Ends what it left behind. For once it has ended. */
  leave(): Promise<void>
}

export interface OwnPipes {
  readonly pipes: Pipes
  readonly give: (drained: boolean) => void
}

export interface Place {
  /**
   * The pipes that the next step's output has to go through, where the place has its own; `directory` is a private one on a
   * local file system. They stay the place's: `drained` tells that every writer closed them and all was read.
   */
  pipes?(directory: string): Promise<OwnPipes | undefined>
  /** Starts a step; fails with a Fatal if the place cannot hold one. Steps run one after the other. */
  start(step: StepCommand): Promise<StepProcess>
  /** The command line here of a shell there, in the directory and with the environment of a step. Only of a place elsewhere. */
  shell?(step: Pick<StepCommand, 'directory' | 'env'>): Promise<string[]>
  /**
   * The steps are over: brings what they left into the job's own directories, where they ran on a copy of those. Fails with
   * a Fatal if it cannot.
   */
  finish?(): Promise<void>
  /** Ends all that is left of the job here. */
  close(): Promise<void>
}
