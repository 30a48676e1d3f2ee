// Deliveries of a forge: `$SPOOL/inbox/PROJECT/new/ID`, and what becomes of them. The states are in master/fetch/record.ts.

import { lstatSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'

import { ignoringENOENT, tolerating } from '../../lib/base/errno.ts'
import { fsyncPath, linkOnce, token, write } from '../../lib/system/durable.ts'
import { noteChange } from '../../lib/system/polled.ts'
import { makeDirectory } from '../../lib/spool/spool.ts'
import type { Spool } from '../../lib/spool/spool.ts'

export interface Inbox {
  readonly project: string
  readonly root: string
  /** Deliveries that nobody has begun with. */
  readonly fresh: string
  /** A record for each that is being worked on. */
  readonly doing: string
  /** The records of those that are done, for RETENTION. */
  readonly done: string
  /** A file for each event that was made, or held, and may be asked for again. */
  readonly made: string
  /** The newest state of each change, by its number; of a closed one for some time. */
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

export interface NewDelivery {
  readonly id: string
  readonly content: Uint8Array
}

/**
 * Stores deliveries under their ids, durably; answers for each `stored`, or `there` if one of this id was stored before. A forge
 * that sends one again gives it the same id. Two that come while the first is being taken may both be stored; they make no event
 * twice. Several together are as long as one on the way to the disk: what is written before the first fsync goes with it.
 */
export function storeDeliveries(
  spool: Spool,
  inbox: Inbox,
  deliveries: readonly NewDelivery[],
): ('stored' | 'there')[] {
  const known = deliveries.map(({ id }) => isKnown(inbox, id))
  // A name that one sees need not be durable yet.
  if (known.includes(true)) for (const directory of wayOf(inbox)) fsyncPath(directory)
  // Where somebody clears away what a crash leaves.
  const prepared = deliveries.map(() => join(spool.tasks.tmp, `.new.${token()}`))
  const fresh = prepared.filter((_, i) => !known[i])
  try {
    for (const [i, { content }] of deliveries.entries()) if (!known[i]) write(prepared[i]!, content, 0o660)
    for (const path of fresh) fsyncPath(path)
    return deliveries.map(({ id }, i) =>
      !known[i] && linkOnce(prepared[i]!, join(inbox.fresh, id)) ? 'stored' : 'there',
    )
  } finally {
    for (const path of fresh) ignoringENOENT(() => unlinkSync(path))
    if (fresh.length > 0) {
      fsyncPath(inbox.fresh)
      noteChange(inbox.fresh)
    }
  }
}

/** The directories that a delivery is in, in the order in which it moves on. */
const wayOf = ({ fresh, doing, done }: Inbox) => [fresh, doing, done]

const isKnown = (inbox: Inbox, id: string): boolean =>
  wayOf(inbox).some(at => tolerating(['ENOENT', 'ESTALE'], () => lstatSync(join(at, id))) !== undefined)
