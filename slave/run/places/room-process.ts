// The process of a step that the first process of its room started: killed with its room.

import type { ProcessEnd } from '../../../lib/spool/job-files.ts'
import { asUser, closeFiles, refused } from './local-process.ts'
import type { StepCommand } from './place.ts'
import type { Room, Rooms } from './room.ts'
import { StartedStep } from './started-step.ts'

export class RoomProcess extends StartedStep {
  readonly #room: Room
  readonly #rooms: Rooms

  constructor(room: Room, rooms: Rooms, step: StepCommand) {
    super(runIn(room, step))
    this.#room = room
    this.#rooms = rooms
  }

  protected override send(name: NodeJS.Signals): void {
    this.#room.signal(name)
  }

  protected override kill(): void {
    void this.#room.close()
  }

  override leave(): Promise<void> {
    return this.#rooms.give(this.#room)
  }
}

/** Returns how the step ends. */
function runIn(room: Room, step: StepCommand): Promise<ProcessEnd> {
  const { started, ended } = room.run([...asUser(step), ...step.command], step.directory, step.env)
  return started.then(
    () => {
      closeFiles(step)
      return ended
    },
    (error: unknown) => refused(step, error),
  )
}
