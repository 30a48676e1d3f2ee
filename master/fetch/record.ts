// From a delivery to events, each exactly once, whatever crashes: the states F0 to F4 of lib/INTERNALS.md. A delivery that is
// being worked on is a record, the directory `doing/ID`. A record has no owner: the next fetcher goes on with it.

import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

import { isErrno, tolerating } from '../../lib/base/errno.ts'
import { formatParams } from '../../lib/spool/event.ts'
import type { Inbox } from '../receive/inbox.ts'
import { makeDirectory } from '../../lib/spool/spool.ts'
import {
  fsyncPath,
  fsyncTree,
  move,
  publishFile,
  readIfThere,
  sweep,
  token,
  writeNew,
} from '../../lib/system/durable.ts'
import { remove } from '../../lib/system/remove.ts'
import { noteChange } from '../../lib/system/polled.ts'
import { entriesIfThere, listAllIfThere, listIfThere } from '../../lib/system/listing.ts'
import { trace } from '../../lib/system/trace.ts'
import type { ChangeState } from './state.ts'

/** An event to be made, or to be held until a person approves it. */
export interface Made {
  readonly where: 'revs' | 'held'
  readonly ref: string
  readonly revision: string
  readonly params: Readonly<Record<string, string>>
  /** How many events of this ref and revision were made before it; usually none. */
  readonly again: number
}

/** The decision about a delivery, once and for ever. */
export interface FetchPlan {
  /** The directory in the record that holds the events; null if there are none. */
  readonly batch: string | null
  /** The refs that were dealt with, and where they are now; null if they are gone. */
  readonly tips: readonly (readonly [ref: string, tip: string | null])[]
  readonly change: ChangeState | null
  /** The decision in words. */
  readonly why: string
}

/** The places that a record's events go to. */
export interface FetchPlaces {
  readonly revs: string
  readonly held: string
}

const DELIVERY = 'delivery'
const PLAN = 'plan'
const GONE = ['ENOENT', 'ESTALE'] as const

/** F0 to F1: makes a record of a delivery. */
export function takeDelivery(inbox: Inbox, id: string): void {
  const record = join(inbox.doing, id)
  makeDirectory(record)
  move(join(inbox.fresh, id), join(record, DELIVERY))
  fsyncPath(record)
  fsyncPath(inbox.fresh)
  trace('F1', id)
}

/** The records that are being worked on, the oldest delivery first. */
export function listDeliveries(inbox: Inbox): string[] {
  return listIfThere(inbox.doing).map(name => join(inbox.doing, name))
}

/** The delivery in a record; undefined if it holds none: then nothing was taken. */
export function deliveryIn(record: string): Buffer | undefined {
  return listAllIfThere(record).includes(DELIVERY)
    ? tolerating(GONE, () => readFileSync(join(record, DELIVERY)))
    : undefined
}

/** Reads the decision about a record; undefined if there is none yet. */
export function readFetchPlan(record: string): FetchPlan | undefined {
  if (!listAllIfThere(record).includes(PLAN)) return undefined
  const text = readIfThere(join(record, PLAN))
  return text === undefined ? undefined : (JSON.parse(text) as FetchPlan)
}

/**
 * F1 to F2: prepares the events and makes this the plan of a record, if there is none yet. An event that another record has
 * made its own is left to that.
 */
export function decideDelivery(
  inbox: Inbox,
  record: string,
  events: readonly Made[],
  plan: Omit<FetchPlan, 'batch'>,
): void {
  const ours = events.filter(event => claimEvent(inbox, basename(record), event))
  const batch = ours.length > 0 ? token() : null
  try {
    if (batch !== null) prepareBatch(record, batch, ours)
    publishFile(join(record, PLAN), JSON.stringify({ ...plan, batch }) + '\n')
    fsyncPath(record)
  } catch (error) {
    // Another fetcher may have finished this record meanwhile.
    if (isErrno(error, ...GONE) && !listAllIfThere(inbox.doing).includes(basename(record))) return
    throw error
  }
  trace('F2', basename(record))
}

/** Writes events into a batch of a record, durably. */
function prepareBatch(record: string, batch: string, events: readonly Made[]): void {
  for (const { where, ref, revision, params } of events) {
    // One by one: a record that has been finished by another fetcher must not be made anew.
    let directory = record
    for (const part of [batch, where, ...ref.split('/')]) {
      directory = join(directory, part)
      const path = directory
      tolerating(['EEXIST'], () => mkdirSync(path))
    }
    writeNew(join(directory, revision), formatParams(params))
  }
  fsyncTree(join(record, batch))
}

/** Takes an event for a record; false if another has it. */
function claimEvent(inbox: Inbox, id: string, { ref, revision, again }: Made): boolean {
  const path = join(inbox.made, eventKey(ref, revision, again))
  if (!publishFile(path, formatMade({ ref, revision, again, id })) && idIn(readIfThere(path)) !== id)
    return false
  fsyncPath(inbox.made)
  return true
}

/** The id of the delivery in a file of `made`. */
const idIn = (text: string | undefined): string | undefined => text?.split('\n', 1)[0]

/** An event that a delivery, by its id, made or held. */
export type MadeEvent = Pick<Made, 'ref' | 'revision' | 'again'> & { readonly id: string }

export const formatMade = ({ id, again, revision, ref }: MadeEvent): string =>
  `${id}\n${again} ${revision} ${ref}\n`

/** Reads a file of `made`; undefined of an earlier version, which wrote no more than the id. Pure. */
export function parseMade(text: string): MadeEvent | undefined {
  const [, id, again, revision, ref] = /^([^\n]+)\n(\d+) ([0-9a-f]+) ([^\n]+)\n$/.exec(text) ?? []
  return ref === undefined ? undefined : { id: id!, again: Number(again), revision: revision!, ref }
}

/** The name in `made` of an event. Pure. */
const eventKey = (ref: string, revision: string, again: number): string =>
  createHash('sha256')
    .update(`${ref}\n${revision}\n${again || ''}`)
    .digest('hex')
    .slice(0, 40)

/**
 * The last event of this ref and revision that was made, or held: how many there were before it, and the id of its delivery;
 * undefined if there was none. What an NFS client hides of it, `link` finds.
 */
export function lastMade(
  inbox: Inbox,
  ref: string,
  revision: string,
): { readonly again: number; readonly id: string } | undefined {
  for (let again = 0, last; ; again++) {
    const id = idIn(readIfThere(join(inbox.made, eventKey(ref, revision, again))))
    if (id === undefined) return last
    last = { again, id }
  }
}

/** True if a delivery is being worked on. */
export const isInHand = (inbox: Inbox, id: string): boolean => listIfThere(inbox.doing).includes(id)

/** F2 to F3: makes the events of a plan, each by one rename: what has left the batch is made. */
export function publishEvents(record: string, { batch }: FetchPlan, places: FetchPlaces): number {
  if (batch === null) return 0
  let count = 0
  for (const where of ['held', 'revs'] as const) {
    for (const path of filesBelow(join(record, batch, where))) {
      const target = join(places[where], path)
      if (where === 'revs') forgetHeld(places.held, dirname(path))
      if (moveInto(join(record, batch, where, path), target)) count++
      fsyncPath(dirname(target))
      noteChange(dirname(target))
    }
  }
  trace('F3', basename(record))
  return count
}

/** Our task-maker leaves directories that have become empty; a person, or another one, may remove them. */
function moveInto(from: string, to: string, tries = 5): boolean {
  makeDirectory(dirname(to))
  try {
    return move(from, to)
  } catch (error) {
    if (tries === 1 || !isErrno(error, 'ENOENT')) throw error
    return moveInto(from, to, tries - 1)
  }
}

/** Removes what is held of a ref, but for one revision. */
export function forgetHeld(held: string, ref: string, but?: string): void {
  for (const name of listIfThere(join(held, ref))) {
    if (name !== but) sweep(join(held, ref, name))
  }
}

/** The paths of the files below a directory, relative to it; none if it is gone. Throws if that cannot be known. */
function filesBelow(directory: string, below = ''): string[] {
  return entriesIfThere(join(directory, below)).flatMap(entry =>
    entry.isDirectory() ? filesBelow(directory, join(below, entry.name)) : [join(below, entry.name)],
  )
}

/**
 * Removes a record of a delivery that was done before, and returns true: a receiver that stood still stores again what its forge
 * has meanwhile sent to another.
 */
export function dropRepeated(inbox: Inbox, record: string): boolean {
  if (!listAllIfThere(inbox.done).includes(basename(record))) return false
  remove(record)
  fsyncPath(inbox.doing)
  return true
}

/** F3 to F4: the record is done. */
export function endRecord(inbox: Inbox, record: string): void {
  move(record, join(inbox.done, basename(record)))
  fsyncPath(inbox.done)
  fsyncPath(inbox.doing)
  trace('F4', basename(record))
}
