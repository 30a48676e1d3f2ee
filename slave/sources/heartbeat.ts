// The sign of life of a running job, and what it learns on the way: that somebody wants it to end, or that it has been
// ended without us. All calls are asynchronous, one at a time: a file server that hangs holds up this heart and nothing
// else in the process.

import { open, readdir, utimes } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'

import { isErrno } from '../../lib/base/errno.ts'
import { warnOnce } from '../../lib/system/log.ts'
import type { Heartbeat } from './assignment.ts'
import type { Path } from '../../lib/base/brand.ts'
import { JOB, TASK } from '../../lib/spool/job-files.ts'

/** The longest time between two beats, in milliseconds. LOST_AFTER must be several times as long. */
const HEARTBEAT_MS = 1000

/**
 * Beats until stopped: sets the times of `alive`, and lists the task for `cancel` and the job for a verdict, which can
 * only be another's. `onWord` is told once. The claim was the first beat.
 */
export function startHeartbeat(
  job: Path,
  task: Path,
  lostAfter: number,
  onWord: (word: 'cancelled' | 'lost') => void,
): Heartbeat {
  const stopper = new AbortController()
  const { signal } = stopper
  const pause = () =>
    sleep(Math.min(HEARTBEAT_MS, lostAfter / 4), undefined, { signal }).catch(() => undefined)
  const sign = new Sign(join(job, JOB.alive))
  const beat = async () => {
    try {
      await sign.give()
      const files = await names(job)
      // Without one the reaper would never know that we died: it is made again.
      if (!files.includes(JOB.alive)) await sign.close()
      const word = files.includes(JOB.result) ? 'lost' : await listTask(task)
      if (word && !signal.aborted) onWord(word)
    } catch (error) {
      if (await hasMoved(job)) {
        // It was ended by others and archived.
        if (!signal.aborted) onWord('lost')
      } else warnOnce('keep alive', job, error)
    }
  }
  const live = async () => {
    // What is to be done at once goes first: the thread that opens it would be in the way.
    await turn()
    if (signal.aborted) return
    // If it fails, the first beat tries again and tells.
    await sign.hold().catch(() => undefined)
    await pause()
    while (!signal.aborted) {
      await beat()
      await pause()
    }
    await sign.close()
  }
  void live()
  return { stop: () => stopper.abort() }
}

/**
 * The file `alive`, held open for writing: an NFSv4 server lends no reader such a file. One that it has lent to a client
 * that is cut off could not be touched until the client's lease is over, which may be long after LOST_AFTER.
 */
class Sign {
  readonly #path: string
  #file: FileHandle | undefined

  constructor(path: string) {
    this.#path = path
  }

  /** Opens it, and makes it where it is not there; in a job that has moved this fails. */
  async hold(): Promise<FileHandle> {
    return (this.#file ??= await open(this.#path, 'a'))
  }

  async give(): Promise<void> {
    const [now, held] = [new Date(), this.#file]
    try {
      await (await this.hold()).utimes(now, now)
    } catch (error) {
      await this.close()
      // A file that another client removed says nothing of the job.
      if (held === undefined || !isErrno(error, 'ESTALE')) throw error
      await this.give()
    }
  }

  async close(): Promise<void> {
    const file = this.#file
    this.#file = undefined
    // Nothing was written into it that could be lost.
    await file?.close().catch(() => undefined)
  }
}

/** `cancel` may have been touched by anyone, without the care that NFSv3 needs: so the times are set before listing. */
async function listTask(task: Path): Promise<'cancelled' | undefined> {
  const now = new Date()
  try {
    await utimes(task, now, now)
  } catch (error) {
    // Not the owner of the task: then the reaper, or a file server with a finer clock, makes the change visible.
    if (!isErrno(error, 'EPERM', 'EACCES')) throw error
  }
  return (await names(task)).includes(TASK.cancel) ? 'cancelled' : undefined
}

/** True if a listing that succeeded shows that the job has left its place: an error alone says nothing. */
async function hasMoved(job: Path): Promise<boolean> {
  try {
    return !(await names(dirname(job))).includes(basename(job))
  } catch {
    return false
  }
}

const names = (directory: string): Promise<string[]> => readdir(directory)
