// The place of steps where a pid namespace can be made: each step runs in a room of its own.

import type { Cage } from './cage.ts'
import { LocalProcess } from './local-process.ts'
import type { Place, StepCommand, StepProcess } from './place.ts'
import { signal } from './processes.ts'
import type { Room, Rooms } from './room.ts'

export class NamespacePlace implements Place {
  readonly #rooms: Rooms

  constructor(rooms: Rooms) {
    this.#rooms = rooms
  }

  async start(step: StepCommand): Promise<StepProcess> {
    return new LocalProcess(cageOf(await this.#rooms.take(), this.#rooms), step)
  }

  /** Nothing to do: each step has left its room. */
  async close(): Promise<void> {
    return Promise.resolve()
  }
}

function cageOf(room: Room, rooms: Rooms): Cage {
  return {
    enter: (directory, user) => [...room.enter(directory), ...user],
    entered: () => undefined,
    signal: (spawned, name) => {
      const leader = room.leader(spawned)
      if (leader === undefined) return
      // It may not have become the leader of its group yet.
      signal(leader, name)
      signal(-leader, name)
    },
    clear: () => room.close(),
    leave: () => rooms.give(room),
  }
}
