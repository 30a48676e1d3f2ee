// Only one notifier works at a time, so that nothing is delivered twice; the others of a spool stand by. The
// lock is a courtesy: if it cannot be had for another reason, all go on, and duplicates share one id.

import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { lock } from 'proper-lockfile'

import { isErrno } from '../../lib/base/errno.ts'
import { say, warn } from '../../lib/system/log.ts'

/**
 * A lock that was not renewed for this long, in milliseconds, belongs to a dead program; it is renewed each
 * `UPDATE`.
 */
const STALE = 10_000
const UPDATE = 2000
/** How often to look whether it is free. */
const LOCK_LOOK_MS = 500

/**
 * Resolves once no other notifier works on this directory, or at `stop`. Returns a function that lets the
 * next one in. `lost` is called if another program took this one for dead.
 */
export async function standBy(
  directory: string,
  stop: AbortSignal,
  lost: () => void,
): Promise<() => Promise<void>> {
  const path = join(directory, '.lock')
  let told = false
  while (!stop.aborted) {
    try {
      return await lock(directory, {
        realpath: false,
        lockfilePath: path,
        stale: STALE,
        update: UPDATE,
        onCompromised: lost,
      })
    } catch (error) {
      if (!isErrno(error, 'ELOCKED')) {
        warn('lock', path, error)
        break
      }
      if (!told) say('info', 'another notifier tells for this spool; this one stands by')
      told = true
      await sleep(LOCK_LOOK_MS, undefined, { signal: stop }).catch(() => undefined)
    }
  }
  return () => Promise.resolve()
}
