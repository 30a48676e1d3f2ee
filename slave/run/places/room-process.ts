// The process of a step that the first process of its room started: asked to end, killed with its room.

import type { ProcessEnd } from '../../../lib/spool/job-files.ts'
import { asUser, closeFiles, refused } from './local-process.ts'
import type { StepCommand, StepProcess } from './place.ts'
import type { Room, Rooms } from './room.ts'

export class RoomProcess implements StepProcess {
  readonly ended: Promise<ProcessEnd>
  readonly #room: Room
  readonly #rooms: Rooms
  #over = false
  #killer: NodeJS.Timeout | undefined

  constructor(room: Room, rooms: Rooms, step: StepCommand) {
    this.#room = room
    this.#rooms = rooms
    const { started, ended } = room.run([...asUser(step), ...step.command], step.directory, step.env)
    this.ended = started.then(
      () => {
        closeFiles(step)
        return ended
      },
      (error: unknown) => refused(step, error),
    )
    const over = () => {
      this.#over = true
      clearTimeout(this.#killer)
    }
    this.ended.then(over, over)
  }

  get over(): boolean {
    return this.#over
  }

  end(grace: number): void {
    if (this.#over) return
    if (grace > 0) {
      this.#room.signal('SIGTERM')
      // One that is stopped could not hear it.
      this.#room.signal('SIGCONT')
    }
    clearTimeout(this.#killer)
    this.#killer = setTimeout(() => void this.#room.close(), grace)
  }

  signal(name: NodeJS.Signals): void {
    if (!this.#over) this.#room.signal(name)
  }

  leave(): Promise<void> {
    return this.#rooms.give(this.#room)
  }
}
