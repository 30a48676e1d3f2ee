// The place of steps where no namespace can be made: a session that is killed, and a search for what left it.

import { start } from '../../../lib/system/run.ts'
import type { Cage } from './cage.ts'
import { LocalProcess } from './local-process.ts'
import type { Place, StepCommand, StepProcess } from './place.ts'
import { killSession, markOf, signal } from './processes.ts'

/**
 * Waits for us to be gone, and then kills the group that it was told last, and all processes that have the entry $1 in
 * their environment. Nothing else can, where there is no namespace.
 */
const GUARDIAN = `
trap '' HUP INT TERM
while read -r group; do last=$group; done
for round in 1 2 3 4 5 6 7 8 9; do
    [ -z "$last" ] || kill -KILL "-$last" 2>/dev/null
    found=$(grep -lsxzF -- "$1" /proc/[0-9]*/environ)
    [ -n "$found" ] || exit 0
    for file in $found; do pid=\${file#/proc/}; kill -KILL "\${pid%/*}" 2>/dev/null; done
done`

export class SessionPlace implements Place {
  readonly #work: string

  /** `work` is the job's temporary directory, which marks its processes. */
  constructor(work: string) {
    this.#work = work
  }

  async start(step: StepCommand): Promise<StepProcess> {
    return Promise.resolve(new LocalProcess(openSession(this.#work), step))
  }

  /** Nothing to do: each step has left its session. */
  async close(): Promise<void> {
    return Promise.resolve()
  }
}

function openSession(work: string): Cage {
  const guardian = start(['sh', '-c', GUARDIAN, 'guardian', markOf(work)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    cwd: '/',
    env: { PATH: process.env['PATH'] },
  })
  // Without it the steps run all the same; only kill -9 of this program would leave them behind.
  guardian.on('error', () => undefined)
  guardian.stdin.on('error', () => undefined)
  const clear = async (spawned: number) => {
    if (spawned > 0) await killSession(spawned, work)
  }
  return {
    enter: (_, user) => [...user],
    entered: spawned => void guardian.stdin.write(`${spawned}\n`),
    signal: (spawned, name) => signal(-spawned, name),
    clear,
    leave: async spawned => {
      await clear(spawned)
      if (guardian.pid !== undefined) signal(guardian.pid, 'SIGKILL')
    },
  }
}
