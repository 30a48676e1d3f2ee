// Rooms, pipes and buffers that are made for one step and serve the next one too. A taker owns one of these and hands it to each of its jobs.

import { BufferPool } from './buffers.ts'
import { PipePool } from './pipes.ts'
import { Rooms } from './room.ts'

export class Pools {
  readonly rooms = new Rooms()
  readonly pipes: PipePool
  readonly buffers = new BufferPool()

  constructor(pipes = new PipePool()) {
    this.pipes = pipes
  }
}
