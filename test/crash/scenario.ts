// A scenario is something worth crashing: what there is, the program that meets the fault, what an operator starts
// again, and what must be so in the end.

import type { Ended } from '../fixtures/sandbox.ts'
import type { Kind } from './instants.ts'
import type { Expected } from './invariants.ts'
import type { World } from './world.ts'

export interface Scenario {
  /** A sentence that is false where the sweep finds something. */
  readonly name: string
  /** The command that meets the fault, `master/reaper`; undefined if all processes do. */
  readonly program?: string
  setUp(world: World): Promise<void> | void
  run(world: World): Promise<Ended>
  /** The exit code of a run that meets no fault; 0 if it does not say. */
  readonly exits?: number
  /**
   * Starts everything again until it is at rest. `ended` is what is known of the run; undefined while it is stopped. A
   * person does again what did not say that it was done.
   */
  recover(world: World, ended?: Ended): Promise<unknown>
  expected(world: World): Expected
  /** What else was lost or doubled, in sentences, as far as the spool does not tell. */
  findings?(world: World): string[]
  /** Kinds of instants that it makes no promise for. */
  readonly without?: readonly Kind[]
  /** It is there to delete what is over. */
  readonly deletes?: true
  /** What `run` prints are names of tasks, and a promise that they are there. */
  readonly acknowledges?: true
}
