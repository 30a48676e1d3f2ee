// Deliveries of forges that were worked off: INBOX/done/ID, and the events that they made, one file of INBOX/made each, whose first
// line is the ID.

import { dirname, join } from 'node:path'

import { readIfThere, replaceFile, sweep, timeOf } from '../system/durable.ts'
import { listIfThere } from '../system/listing.ts'
import type { Spool } from './spool.ts'

/** In place of the ID of a delivery that is not kept any more; no delivery has it. */
const NOBODY = '-'

/** The records of deliveries of a project, or of all, that were done before an instant, in milliseconds since 1970. */
export function doneDeliveries(spool: Spool, before: number, project?: string): string[] {
  const root = join(spool.root, 'inbox')
  return (project === undefined ? listIfThere(root) : [project]).flatMap(name => {
    const done = join(root, name, 'done')
    const paths = listIfThere(done).map(id => join(done, id))
    return paths.filter(path => (timeOf(path) ?? Infinity) < before)
  })
}

/**
 * Deletes such records. First what they made becomes nobody's: a forge may deliver one again, under the same ID, which would else be
 * taken for a fetcher's work that is not yet done, and done again.
 */
export function removeDeliveries(spool: Spool, records: readonly string[]): void {
  const removed = new Set(records)
  for (const inbox of new Set(records.map(record => dirname(dirname(record))))) {
    for (const name of listIfThere(join(inbox, 'made'))) {
      const path = join(inbox, 'made', name)
      const [id = '', ...rest] = (readIfThere(path) ?? '').split('\n')
      if (removed.has(join(inbox, 'done', id)))
        replaceFile(path, [NOBODY, ...rest].join('\n'), spool.tasks.tmp)
    }
  }
  for (const record of records) sweep(record)
}
