// Events whose tasks are still to come: below `revs/PROJECT`, or in a record of `revs/.making`.

import { statSync } from 'node:fs'
import type { Dirent } from 'node:fs'
import { join } from 'node:path'

import { entriesIfThere, listIfThere } from '../system/listing.ts'
import { isErrno, tolerating } from '../base/errno.ts'
import { ago, counted } from '../base/text.ts'
import { warnOnce } from '../system/log.ts'
import type { Spool } from '../spool/spool.ts'

/** True if there is an event of a revision that begins with `prefix`, of 4 digits or more, in any project. */
export function hasEvent(spool: Spool, prefix: string): boolean {
  if (!/^[0-9a-f]{4,64}$/.test(prefix)) return false
  const making = join(spool.revs, '.making')
  // An event moves from the first to the second; a record that is done gets a name with a dot.
  const roots = [spool.revs, making].flatMap(root => listIfThere(root).map(project => join(root, project)))
  return roots.some(root => holds(root, prefix))
}

/** The events of a project that are still to become tasks. */
export interface WaitingEvents {
  readonly project: string
  readonly count: number
  /** When the first of them came, in milliseconds since 1970. */
  readonly oldest: number
}

/** Of each project with an event older than `age` milliseconds at `now`. */
export function eventsWaiting(spool: Spool, now: number, age = 0): WaitingEvents[] {
  const making = join(spool.revs, '.making')
  const projects = new Set([...listIfThere(spool.revs), ...listIfThere(making)])
  return [...projects].sort().flatMap(project => {
    const times = [join(spool.revs, project), join(making, project)].flatMap(timesOf)
    const oldest = times.reduce((first, time) => Math.min(first, time), Infinity)
    return now - oldest >= age ? [{ project, count: times.length, oldest }] : []
  })
}

/** `1 event waits`, `2 events wait`. */
export const eventsWait = (count: number): string =>
  `${counted(count, 'event')} ${count === 1 ? 'waits' : 'wait'}`

/** `hello: 2 events wait to become tasks, the oldest came 3 min ago; does its task-maker run?` */
export const tellEvents = ({ project, count, oldest }: WaitingEvents, now: number): string =>
  `${project}: ${eventsWait(count)} to become tasks, the oldest came ${ago(now - oldest)}; does its task-maker run?`

/** When the events below a directory came, in milliseconds. */
function timesOf(directory: string): number[] {
  return readable(directory).flatMap(entry => {
    const path = join(directory, entry.name)
    if (entry.isDirectory()) return timesOf(path)
    // A record has files of its own beside the event.
    if (!/^[0-9a-f]{4,64}$/.test(entry.name)) return []
    return tolerating(['ENOENT', 'ESTALE'], () => statSync(path).mtimeMs) ?? []
  })
}

function holds(directory: string, prefix: string): boolean {
  return readable(directory).some(entry =>
    entry.isDirectory()
      ? holds(join(directory, entry.name), prefix)
      : entry.isFile() && entry.name.startsWith(prefix),
  )
}

/** The entries of a directory; one that another user has closed is reported and passed over. */
function readable(directory: string): Dirent[] {
  try {
    return entriesIfThere(directory)
  } catch (error) {
    if (!isErrno(error, 'EACCES', 'EPERM')) throw error
    warnOnce('look into', directory, error)
    return []
  }
}
