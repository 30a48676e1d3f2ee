// Killing what is left of steps where no namespace holds them: by session, and by an entry of the environment that no
// other job has. What began a session of its own with a clean environment is not found.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { tolerating } from '../../../lib/base/errno.ts'
import { warn } from '../../../lib/system/log.ts'
import { processesWith } from '../../../lib/system/process.ts'

const GONE = ['ENOENT', 'ESRCH', 'EACCES', 'EPERM'] as const

/** The temporary directory of a job's steps, which no other job has. */
export const temporaryOf = (work: string): string => join(work, 'tmp')

/** The entry by which the processes of a job are known. */
export const markOf = (work: string): string => `TMPDIR=${temporaryOf(work)}`

/** Sends a signal to a process, or with a negative pid to a group; one that is gone, or not ours, stays as it is. */
export function signal(pid: number, name: NodeJS.Signals): void {
  tolerating(['ESRCH', 'EPERM'], () => process.kill(pid, name))
}

/** The living processes of a session: all that a session leader started, but for those that began another one. */
function processesOfSession(session: number): number[] {
  const pids = tolerating(GONE, () => readdirSync('/proc'))?.filter(name => /^\d+$/.test(name)) ?? []
  return pids.map(Number).filter(pid => {
    const stat = tolerating(GONE, () => readFileSync(`/proc/${pid}/stat`, 'latin1'))
    // Behind the command in brackets: state, parent, group, session.
    const [state, , , leader] = stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? []
    return state !== 'Z' && Number(leader) === session
  })
}

/** How long to go on killing, in milliseconds: what is left then is not ours to kill, or hangs in the system. */
const ENOUGH = 5000

/** Kills again and again until nothing is found, because what is killed may just have forked. */
async function killAll(find: () => number[]): Promise<void> {
  const end = performance.now() + ENOUGH
  for (let found = find(); found.length > 0; found = find()) {
    for (const pid of found) signal(pid, 'SIGKILL')
    if (performance.now() > end) {
      warn('kill', found.join(' '), 'still there')
      return
    }
    await sleep(5)
  }
}

/** Ends all that is found of a step whose leader was `session`. */
export async function killSession(session: number, work: string): Promise<void> {
  signal(-session, 'SIGKILL')
  await killAll(() => [...new Set([...processesOfSession(session), ...processesWith(markOf(work))])])
}

/**
 * Ends what is left of the steps of a job whose taker is gone; `work` is the job's temporary directory, as its
 * slot or its `tmp-path.txt` names it. For a taker that starts.
 */
export async function killRemains(work: string): Promise<void> {
  await killAll(() => processesWith(markOf(work)))
}
