// Directories in the spool that others poll: that they have changed, and what is in them, as every client of a file server
// is to see it. An NFS client answers from memory until it finds another time on a directory, so times are set where that matters.

import { mkdir, mkdirSync, rmdir, rmdirSync, utimes, utimesSync } from 'node:fs'
import { join } from 'node:path'

import { ignoringENOENT, isErrno, tolerating } from '../base/errno.ts'
import { token } from './durable.ts'
import { mustList } from './listing.ts'
import type { Path } from '../base/brand.ts'

/**
 * Sets the times of a directory, so that every client of the file system notices that it has changed. Only the owner
 * may set times; a member of its group makes and removes a name instead.
 */
export function refresh(directory: Path): void {
  const now = new Date()
  try {
    utimesSync(directory, now, now)
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESTALE')) return
    if (!isErrno(error, 'EPERM', 'EACCES')) throw error
    const name = join(directory, `.touch-${token()}`)
    tolerating(['EEXIST'], () => mkdirSync(name))
    ignoringENOENT(() => rmdirSync(name))
  }
}

/** As `refresh`, while the process goes on: a file server that hangs holds up nothing else. It is a hint, and may fail. */
function refreshBeside(directory: Path): void {
  const now = new Date()
  utimes(directory, now, now, error => {
    if (!isErrno(error, 'EPERM', 'EACCES')) return
    const name = join(directory, `.touch-${token()}`)
    mkdir(name, () => rmdir(name, () => undefined))
  })
}

/** Longer than a tick of any file server's clock, in milliseconds. */
const SERVER_TICK_MS = 20

const soon = new Map<string, NodeJS.Timeout>()

/**
 * Says that a polled directory was changed: sets its times some 20 ms after the last change, when the clock of the file
 * server has moved on. On NFSv3 a listing between two changes within one tick would otherwise hide the second one for good.
 */
export function noteChange(directory: Path): void {
  const pending = soon.get(directory)
  if (pending) {
    pending.refresh()
    return
  }
  const timer = setTimeout(() => {
    soon.delete(directory)
    // The reaper does the same every 10 s.
    refreshBeside(directory)
  }, SERVER_TICK_MS)
  soon.set(directory, timer)
}

/**
 * A listing that decides, of a directory that must be there: its times are set first, so that no NFSv3 client answers
 * from memory.
 */
export function listNow(directory: Path): string[] {
  refresh(directory)
  return mustList(directory)
}
