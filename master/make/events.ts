// Events: the files in `$REVS/REF/REVISION`. A name below $REVS says which revision of which ref to make tasks of.

import { lstatSync } from 'node:fs'
import { join } from 'node:path'

import { ignoringENOENT, tolerating } from '../../lib/base/errno.ts'
import type { Commit, Repository } from '../../lib/git/repository.ts'
import { escapeNames } from '../../lib/system/byte-names.ts'
import { entriesIfThere } from '../../lib/system/listing.ts'
import { warnOnce } from '../../lib/system/log.ts'

export interface Event {
  /** The directory it is in, relative to $REVS; may be empty. */
  readonly ref: string
  /** Its name: git resolves it to a commit. */
  readonly revision: string
  /** When it was touched, in nanoseconds, by the clock of the file server. */
  readonly time: bigint
}

/** The event itself is at fault that no tasks can be made of it. */
export class BadEvent extends Error {
  override name = 'BadEvent'
}

/** How an event is called in messages. Pure. */
export const eventPath = (event: Event): string => join(event.ref, event.revision)

type OnUnseen = (path: string, error: unknown) => void

const rethrow: OnUnseen = (_, error) => {
  throw error
}

/** True if a name can be that of an event or a part of its ref. Pure. */
const isName = (name: string): boolean => !/\p{Cc}/u.test(name)

/** How Node shows a byte that is not UTF-8. */
const REPLACED = '\ufffd'

/**
 * The events below a directory, in no order. What begins with a dot is not looked at; what is no regular file, or
 * cannot be the name of a revision, is reported once and left where it is. What cannot be looked into, below the
 * directory itself, is given to `onUnseen` with the reason, and thrown without that.
 */
export function scanEvents(root: string, onUnseen: OnUnseen = rethrow, ref = ''): Event[] {
  const events: Event[] = []
  let entries = entriesIfThere(join(root, ref))
  if (entries.some(({ name }) => name.includes(REPLACED))) {
    tolerating(['ENOENT', 'ESTALE', 'EACCES', 'EPERM'], () => escapeNames(join(root, ref)))
    entries = entriesIfThere(join(root, ref))
  }
  for (const entry of entries) {
    const { name } = entry
    const path = join(root, ref, name)
    // A name that could not be changed waits for the next look.
    if (name.includes(REPLACED)) continue
    if (!isName(name)) {
      warnOnce('understand', path, 'not a name of a revision; it is left where it is')
      continue
    }
    try {
      if (entry.isDirectory()) events.push(...scanEvents(root, onUnseen, join(ref, name)))
      else events.push(...eventAt(path, ref, name))
    } catch (error) {
      onUnseen(path, error)
    }
  }
  return events
}

/** The event that a file is; none if it is gone. */
function eventAt(path: string, ref: string, revision: string): Event[] {
  const stat = ignoringENOENT(() => lstatSync(path, { bigint: true }))
  if (stat?.isFile()) return [{ ref, revision, time: stat.mtimeNs }]
  if (stat) warnOnce('understand', path, 'not a regular file; it is left where it is')
  return []
}

/**
 * Sorts events in the order to take them: oldest first; those touched within one tick of the clock, as many
 * of a push are, in the order of `git rev-list --reverse`.
 */
export async function inOrder<E extends Event>(events: readonly E[], repository: Repository): Promise<E[]> {
  const times = new Map<bigint, number>()
  for (const { time } of events) times.set(time, (times.get(time) ?? 0) + 1)
  const commits = new Map<E, Commit>()
  await Promise.all(
    events.map(async event => {
      if (times.get(event.time) === 1) return
      const commit = await repository.commit(event.revision)
      if (commit) commits.set(event, commit)
    }),
  )
  const order = commits.size > 0 ? await repository.inOrder([...commits.values()]) : []
  const place = new Map(order.map((id, i) => [id, i]))
  const placeOf = (event: E) => place.get(commits.get(event)?.id ?? '') ?? -1
  return [...events].sort(
    (a, b) => Number(a.time - b.time) || placeOf(a) - placeOf(b) || (eventPath(a) < eventPath(b) ? -1 : 1),
  )
}
