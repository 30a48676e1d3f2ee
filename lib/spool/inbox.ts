// Deliveries of a forge: `$SPOOL/inbox/PROJECT/new/ID`, and what becomes of them. The states are in master/fetch/record.ts.

import { lstatSync } from 'node:fs'
import { join } from 'node:path'

import { tolerating } from '../base/errno.ts'
import { fsyncPath, publishPrepared, token, writeNew } from '../system/durable.ts'
import { noteChange } from '../system/polled.ts'
import { makeDirectory } from './spool.ts'
import type { Spool } from './spool.ts'

export interface Inbox {
  readonly project: string
  readonly root: string
  /** Deliveries that nobody has begun with. */
  readonly fresh: string
  /** A record for each that is being worked on. */
  readonly doing: string
  /** The records of those that are done, for RETENTION. */
  readonly done: string
  /** A file for each event that was ever made, or held. */
  readonly made: string
  /** The state of each change, by its number. */
  readonly changes: string
}

export function inboxOf(spool: Spool, project: string): Inbox {
  const root = join(spool.root, 'inbox', project)
  return {
    project,
    root,
    fresh: join(root, 'new'),
    doing: join(root, 'doing'),
    done: join(root, 'done'),
    made: join(root, 'made'),
    changes: join(root, 'changes'),
  }
}

export function makeInbox(inbox: Inbox): void {
  for (const directory of [inbox.fresh, inbox.doing, inbox.done, inbox.made, inbox.changes])
    makeDirectory(directory)
}

/** True if an id can be the name of a delivery. */
export const isDeliveryId = (id: string): boolean => /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(id)

/**
 * Stores a delivery under its id, durably: `there` if one of this id was stored before. A forge that sends one again gives it
 * the same id. Two that come while the first is being taken may both be stored; they make no event twice.
 */
export function storeDelivery(
  spool: Spool,
  inbox: Inbox,
  id: string,
  content: Uint8Array,
): 'stored' | 'there' {
  // In the order in which it moves on.
  for (const directory of [inbox.fresh, inbox.doing, inbox.done]) {
    if (tolerating(['ENOENT', 'ESTALE'], () => lstatSync(join(directory, id)))) {
      // A name that one sees need not be durable yet.
      fsyncPath(directory)
      return 'there'
    }
  }
  // Where somebody clears away what a crash leaves.
  const prepared = join(spool.tasks.tmp, `.new.${token()}`)
  writeNew(prepared, content, 0o660)
  const ours = publishPrepared(prepared, join(inbox.fresh, id))
  fsyncPath(inbox.fresh)
  noteChange(inbox.fresh)
  return ours ? 'stored' : 'there'
}
