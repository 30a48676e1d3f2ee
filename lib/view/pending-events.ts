// Events whose tasks are still to come: below `revs/PROJECT`, or in a record of `revs/.making`.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'

import { list } from '../system/durable.ts'
import { tolerating } from '../base/errno.ts'
import type { Spool } from '../spool/spool.ts'

/** True if there is an event of a revision that begins with `prefix`, of 4 digits or more, in any project. */
export function hasEvent(spool: Spool, prefix: string): boolean {
  if (!/^[0-9a-f]{4,64}$/.test(prefix)) return false
  const making = join(spool.revs, '.making')
  // An event moves from the first to the second; a record that is done gets a name with a dot.
  const roots = [spool.revs, making].flatMap(root => list(root).map(project => join(root, project)))
  return roots.some(root => holds(root, prefix))
}

function holds(directory: string, prefix: string): boolean {
  const read = () => readdirSync(directory, { withFileTypes: true })
  return (tolerating(['ENOENT', 'ESTALE', 'ENOTDIR'], read) ?? []).some(entry => {
    if (entry.name.startsWith('.')) return false
    return entry.isDirectory()
      ? holds(join(directory, entry.name), prefix)
      : entry.isFile() && entry.name.startsWith(prefix)
  })
}
