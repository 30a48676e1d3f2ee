// One notifier tells at a time, so that nobody is told twice: the others of a spool stand by. This only saves the told
// from hearing things twice, under one id; where a lock cannot be had for another reason than that, all goes on.

import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { lock } from 'proper-lockfile'

import { isErrno } from '../../lib/base/errno.ts'
import { say, warn } from '../../lib/system/log.ts'

/** A lock that was not renewed for so long is that of somebody who died, in milliseconds; it is renewed each `UPDATE`. */
const STALE = 10_000
const UPDATE = 2000
/** How often to look whether it is free. */
const LOOK = 500

/**
 * Resolves once nobody else tells from this directory, or until `stop`. Answers how to let the next one. `lost` is called
 * when somebody took us for dead.
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
      await sleep(LOOK, undefined, { signal: stop }).catch(() => undefined)
    }
  }
  return () => Promise.resolve()
}
