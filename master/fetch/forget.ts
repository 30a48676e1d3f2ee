// Forgets events and changes that nothing asks for again. What was made is remembered while a delivery, or a look at the forge, can
// lead to it once more: while its own delivery is in hand or kept in `done`, and while its ref is where it was then.

import { unlinkSync } from 'node:fs'
import { join } from 'node:path'

import { ignoringENOENT } from '../../lib/base/errno.ts'
import { fsyncPath, readIfThere, timeOf } from '../../lib/system/durable.ts'
import { mustList } from '../../lib/system/listing.ts'
import type { Inbox } from '../receive/inbox.ts'
import { parseMade } from './record.ts'
import type { MadeEvent } from './record.ts'
import { readChanges, readTips } from './state.ts'
import { changeNumber } from './wishes.ts'

/** How long a change stays known that is closed, in milliseconds. No forge delivers again what is older. */
const CLOSED_KEPT_MS = 30 * 24 * 3600_000

type Remembered = MadeEvent & { readonly path: string }

/** Forgets what it may; `now` is in milliseconds since 1970. */
export function forgetOld(inbox: Inbox, now = Date.now()): void {
  const old = oldEvents(inbox)
  // An event that was made again is looked for behind the one before it: the last goes first, and durably.
  for (const again of [...new Set(old.map(event => event.again))].sort((a, b) => b - a)) {
    for (const event of old) if (event.again === again) ignoringENOENT(() => unlinkSync(event.path))
    fsyncPath(inbox.made)
  }
  for (const { open, number } of readChanges(inbox)) {
    const path = join(inbox.changes, String(number))
    if (!open && (timeOf(path) ?? Infinity) < now - CLOSED_KEPT_MS) ignoringENOENT(() => unlinkSync(path))
  }
}

/** The events that may go: those whose delivery is not kept any more, and that nothing leads to. */
function oldEvents(inbox: Inbox): Remembered[] {
  // In this order. The record that made what is seen here is in `doing` or `done` afterwards; where it is in neither any more, tips
  // and changes hold what it wrote.
  const made = mustList(inbox.made).flatMap((name): Remembered[] => {
    const path = join(inbox.made, name)
    const event = parseMade(readIfThere(path) ?? '')
    return event ? [{ ...event, path }] : []
  })
  const kept = new Set([...mustList(inbox.doing), ...mustList(inbox.done)])
  const isCurrent = currentEvents(inbox)
  const keyOf = ({ ref, revision }: MadeEvent) => `${revision} ${ref}`
  const needed = new Set(made.filter(event => kept.has(event.id) || isCurrent(event)).map(keyOf))
  return made.filter(event => !kept.has(event.id) && !needed.has(keyOf(event)))
}

/** Tells of an event whether its ref is where it was made of, as far as was heard. */
function currentEvents(inbox: Inbox): (event: MadeEvent) => boolean {
  const tips = readTips(inbox)
  const heads = new Map(readChanges(inbox).map(({ ref, head }) => [ref, head]))
  return ({ ref, revision }) => {
    if (!tips) return true
    if (changeNumber(ref) !== undefined) return heads.get(ref) === revision
    // The tip of an annotated tag is the tag, not its commit.
    return ref.startsWith('refs/tags/') ? tips.has(ref) : tips.get(ref) === revision
  }
}
