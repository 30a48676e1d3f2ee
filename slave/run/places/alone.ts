// The place of steps where every process is ours to kill: a container, whose first process we are.

import type { Cage } from './cage.ts'
import { LocalProcess } from './local-process.ts'
import type { Place, StepCommand, StepProcess } from './place.ts'
import { signal } from './processes.ts'

/** Kills all that there is but us; the kernel lets nobody be born meanwhile. */
const killAll = async (): Promise<void> => {
  signal(-1, 'SIGKILL')
  return Promise.resolve()
}

const CAGE: Cage = {
  becomes: true,
  enter: (_, user) => [...user],
  entered: () => undefined,
  signal: (spawned, name) => signal(-spawned, name),
  clear: killAll,
  leave: killAll,
}

export class AlonePlace implements Place {
  async start(step: StepCommand): Promise<StepProcess> {
    return Promise.resolve(new LocalProcess(CAGE, step))
  }

  close(): Promise<void> {
    return killAll()
  }
}
