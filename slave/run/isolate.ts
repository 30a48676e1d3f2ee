// Where steps run, so that nothing of them is left when they are over: in a pid namespace where one can be made, else
// in a session that is swept. Chosen once for the life of the program.

import { spawn } from 'node:child_process'

import { lasting } from '../../lib/base/exit.ts'
import { say } from '../../lib/system/log.ts'
import { killSession, markOf, signal } from './processes.ts'
import { Room } from './room.ts'

export const ISOLATE = ['auto', 'pid', 'no'] as const
export type Isolate = (typeof ISOLATE)[number]

/** Says what each way is worth, for the help of whoever runs steps. */
export const ISOLATION_HELP = `Each step runs in a pid namespace of its own where 'unshare' and 'nsenter' can make one (ISOLATE=pid,
or auto): whatever it started ends with it, also daemons, and also when this program is killed. Without
(ISOLATE=no, or auto where it cannot be done) its session is killed, and every process that has its
TMPDIR in the environment; that misses what began a session of its own with a clean environment.`

/** What holds the processes of one step. */
export interface Cage {
  /** What to put before a command so that it runs in here, in a directory. */
  enter(directory: string): string[]
  /** The command with `enter` before it was spawned as this process. */
  entered(spawned: number): void
  /** Sends a signal to the process group that the step leads. */
  signal(spawned: number, name: NodeJS.Signals): void
  /** Ends every process in it; resolves when they are gone. */
  clear(spawned: number): Promise<void>
  /** The step is over: nothing of it is left, and the cage is not used again by the caller. */
  leave(spawned: number): Promise<void>
}

/** Finds out how steps can be isolated; a Fatal if ISOLATE=pid and it cannot be done. For a program that starts. */
export async function prepareIsolation(how: Isolate): Promise<void> {
  await (await takeCage(how, '/')).leave(0)
}

let impossible = false
const spare: Room[] = []

/** A cage for one step of a job whose temporary directory is `work`. */
export async function takeCage(how: Isolate, work: string): Promise<Cage> {
  if (how === 'no' || (how === 'auto' && impossible)) return openSession(work)
  try {
    return cageOf(await takeRoom())
  } catch (error) {
    if (how === 'pid') throw lasting('make a pid namespace, as ISOLATE=pid demands', error)
    impossible = true
    const why = error instanceof Error ? error.message : String(error)
    say('info', `steps run without a pid namespace of their own: ${why}`)
    return openSession(work)
  }
}

async function takeRoom(): Promise<Room> {
  for (let room = spare.pop(); room; room = spare.pop()) {
    // It was clean when it was left, and nothing can have begun in it since.
    if (room.isOpen) return room
  }
  return Room.open()
}

function cageOf(room: Room): Cage {
  return {
    enter: directory => room.enter(directory),
    entered: () => undefined,
    signal: (spawned, name) => {
      const leader = room.leader(spawned)
      if (leader === undefined) return
      // It may not have become the leader of its group yet.
      signal(leader, name)
      signal(-leader, name)
    },
    clear: () => room.close(),
    leave: async () => {
      if (room.isClean()) spare.push(room)
      else await room.close()
    },
  }
}

/**
 * Waits for us to be gone, and then kills the group that it was told last, and all processes that have the entry $1 in
 * their environment. It is the only one who can, where there is no namespace.
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

function openSession(work: string): Cage {
  const guardian = spawn('sh', ['-c', GUARDIAN, 'guardian', markOf(work)], {
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
    enter: () => [],
    entered: spawned => void guardian.stdin.write(`${spawned}\n`),
    signal: (spawned, name) => signal(-spawned, name),
    clear,
    leave: async spawned => {
      await clear(spawned)
      if (guardian.pid !== undefined) signal(guardian.pid, 'SIGKILL')
    },
  }
}
