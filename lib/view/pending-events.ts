// Events whose tasks are still to come: below `revs/PROJECT`, or in a record of `revs/.making`.

import type { Dirent } from 'node:fs'
import { join } from 'node:path'

import { entriesIfThere, listIfThere } from '../system/listing.ts'
import { isErrno } from '../base/errno.ts'
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
