// The place of steps where a pid namespace can be made: each step runs in a room of its own.

import type { Cage } from './cage.ts'
import { LocalProcess } from './local-process.ts'
import type { OwnPipes, Place, StepCommand, StepProcess } from './place.ts'
import type { Pools } from './pools.ts'
import { signal } from './processes.ts'
import { RoomProcess } from './room-process.ts'
import type { Room, Rooms } from './room.ts'

export class NamespacePlace implements Place {
  readonly #pools: Pools
  /** The room of the next step. */
  #room: Room | undefined

  constructor(pools: Pools) {
    this.#pools = pools
  }

  async pipes(directory: string): Promise<OwnPipes | undefined> {
    const { rooms, pipes } = this.#pools
    const room = await rooms.take()
    this.#room = room
    if (!rooms.start) return undefined
    try {
      return { pipes: await room.pipes(pipes, directory), give: drained => void (drained || room.close()) }
    } catch (error) {
      this.#room = undefined
      await room.close()
      throw error
    }
  }

  async start(step: StepCommand): Promise<StepProcess> {
    const { rooms } = this.#pools
    const room = this.#room ?? (await rooms.take())
    this.#room = undefined
    return room.starts && step.stdin === undefined
      ? new RoomProcess(room, rooms, step)
      : new LocalProcess(cageOf(room, rooms), step)
  }

  /** Each step has left its room. */
  async close(): Promise<void> {
    const room = this.#room
    this.#room = undefined
    if (room) await this.#pools.rooms.give(room)
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
