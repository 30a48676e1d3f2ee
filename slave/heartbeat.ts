// The sign of life of a running job, and what it learns on the way: that somebody wants it to end, or that it has been
// ended without us. All calls are asynchronous, one at a time: a file server that hangs holds up this heart and nothing
// else in the process.

import { open, readdir, utimes } from 'node:fs/promises'
import { join } from 'node:path'

import { isErrno } from '../lib/errno.ts'
import { warnOnce } from '../lib/log.ts'

/** The longest time between two beats, in milliseconds. LOST_AFTER must be several times as long. */
const BEAT = 1000

export interface Heartbeat {
  stop(): void
}

/**
 * Beats until stopped: sets the times of `alive`, and lists the task for `cancel` and the job for a verdict, which can
 * only be another's. `onWord` is told once.
 */
export function startHeartbeat(
  job: string,
  task: string,
  lostAfter: number,
  onWord: (word: 'cancelled' | 'lost') => void,
): Heartbeat {
  let stopped = false
  let timer: NodeJS.Timeout | undefined
  const beat = async () => {
    try {
      await touch(join(job, 'alive'))
      const word = (await names(job)).includes('result.txt') ? 'lost' : await listTask(task)
      if (word && !stopped) onWord(word)
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ESTALE')) {
        // The job has moved: it was ended by others and archived.
        if (!stopped) onWord('lost')
      } else warnOnce('keep alive', job, error)
    }
    if (!stopped) timer = setTimeout(() => void beat(), Math.min(BEAT, lostAfter / 4))
  }
  void beat()
  return {
    stop: () => {
      stopped = true
      clearTimeout(timer)
    },
  }
}

async function touch(file: string): Promise<void> {
  const now = new Date()
  try {
    await utimes(file, now, now)
  } catch (error) {
    // Somebody removed it: without one the reaper would never know that we died. In a job that has moved this fails.
    if (!isErrno(error, 'ENOENT')) throw error
    await (await open(file, 'a')).close()
  }
}

/** `cancel` may have been touched by anyone, without the care that NFSv3 needs: so the times are set before listing. */
async function listTask(task: string): Promise<'cancelled' | undefined> {
  const now = new Date()
  try {
    await utimes(task, now, now)
  } catch (error) {
    // Not the owner of the task: then the reaper, or a file server with a finer clock, makes the change visible.
    if (!isErrno(error, 'EPERM', 'EACCES')) throw error
  }
  return (await names(task)).includes('cancel') ? 'cancelled' : undefined
}

const names = (directory: string): Promise<string[]> => readdir(directory)
