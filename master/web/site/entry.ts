// An entry of the index: a task.

import type { TaskId } from '../../../lib/spool/task-name.ts'
import type { State } from './states.ts'

/** An entry of the index. */
export interface IndexEntry {
  readonly name: TaskId
  readonly num: number
  readonly project: string
  readonly version: string
  /** `ARCH` or `ARCH:HOST`. */
  readonly target: string
  readonly state: State
  /** Empty where there is none, or it is not read yet. */
  readonly ref: string
  /** Where it ran; empty as `ref`. */
  readonly host: string
  /** The name of its check; empty as `ref`. */
  readonly label: string
  /** The number, title and author of its change, a line each; empty as `ref`. */
  readonly change: string
}

/** The facts that are read of a task. */
export interface Facts {
  readonly state: State
  readonly ref?: string | undefined
  readonly host?: string | undefined
  readonly label?: string | undefined
  readonly change?: string | undefined
  /** The commit id. */
  readonly commit?: string | undefined
  /** The number of the task that it is a retry of. */
  readonly retryOf?: number | undefined
}
