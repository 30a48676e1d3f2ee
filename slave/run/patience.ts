// Patient writing: a full disk has room again some day, and a job must not fail because of it. Where a file server can hang,
// writes during a step are asynchronous, so that timers and kills go on.

import { setTimeout as sleep } from 'node:timers/promises'

import { isErrno } from '../../lib/base/errno.ts'
import { temporary, quote } from '../../lib/base/exit.ts'
import { warnOnce } from '../../lib/system/log.ts'

/** Errors that pass: disk or quota are full, or the system is short of a resource. */
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
