// What a slave writes for its job, it writes with patience: a full disk has room again some day, and a job must not fail
// for it. What is written while a step runs is written asynchronously, so that timers and kills go on while a network
// file system hangs.

import { setTimeout as sleep } from 'node:timers/promises'

import { isErrno } from '../../lib/base/errno.ts'
import { temporary, quote } from '../../lib/base/exit.ts'
import { warnOnce } from '../../lib/system/log.ts'

/** What goes by itself: disk or quota are full, or the system is short of something. */
const PASSING = ['ENOSPC', 'EDQUOT', 'ENOMEM', 'EMFILE', 'ENFILE', 'EAGAIN'] as const

/** How often to try again, in milliseconds. */
const AGAIN = 1000

/**
 * Does something to `path`, again and again while the system is short of room; any other error is a Fatal to retry
 * the whole job for. `action` begins anew each time. When `stop` says so, the first error counts.
 */
export async function patiently<T>(
  verb: string,
  path: string,
  action: () => T | Promise<T>,
  stop?: AbortSignal,
): Promise<T> {
  for (;;) {
    try {
      return await action()
    } catch (error) {
      if (!isErrno(error, ...PASSING) || stop?.aborted) throw temporary(`${verb} ${quote(path)}`, error)
      warnOnce(verb, path, error)
      await sleep(AGAIN)
    }
  }
}
