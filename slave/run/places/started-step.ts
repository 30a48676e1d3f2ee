// A step that was started, in whatever place: asked to end, and killed when it has not.

import type { ProcessEnd } from '../../../lib/spool/job-files.ts'
import type { StepProcess } from './place.ts'

export abstract class StartedStep implements StepProcess {
  readonly ended: Promise<ProcessEnd>
  #over = false
  #killer: NodeJS.Timeout | undefined

  constructor(ended: Promise<ProcessEnd>) {
    this.ended = ended
    const over = () => {
      this.#over = true
      clearTimeout(this.#killer)
    }
    ended.then(over, over)
  }

  get over(): boolean {
    return this.#over
  }

  end(grace: number): void {
    if (this.#over) return
    if (grace > 0) {
      this.send('SIGTERM')
      // One that is stopped could not hear it.
      this.send('SIGCONT')
    }
    clearTimeout(this.#killer)
    this.#killer = setTimeout(() => this.kill(), grace)
  }

  signal(name: NodeJS.Signals): void {
    if (!this.#over) this.send(name)
  }

  /** Sends a signal to the group of the step. */
  protected abstract send(name: NodeJS.Signals): void

  /** Begins to end the step and all that it started. */
  protected abstract kill(): void

  abstract leave(): Promise<void>
}
