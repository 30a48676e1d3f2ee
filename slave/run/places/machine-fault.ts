import { EXIT, Fatal } from '../../../lib/base/exit.ts'

/** The machine fails, which says nothing of the work: it is left to others, and does not count as an attempt. */
export class MachineFault extends Fatal {
  /** As of `Fatal`: `attempt` completes "unable to". */
  constructor(attempt: string, why: unknown) {
    super(EXIT.temporary, attempt, why)
  }
}
