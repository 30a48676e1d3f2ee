// From an event to tasks, exactly once, whatever crashes: the states E0 to E4 of the design. An event being made into
// tasks is a record, a directory T in `.making/PROJECT` beside $REVS. A record has no owner: every function here may
// be called by any maker, for any record, again and again.

import { lstatSync, mkdirSync, readFileSync, rmdirSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'

import { fsyncPath, move, publishFile, readIfThere, sweep, token } from '../../lib/system/durable.ts'
import { remove } from '../../lib/system/remove.ts'
import { listNow, noteChange } from '../../lib/system/polled.ts'
import { listAllIfThere, listIfThere, mustListAll } from '../../lib/system/listing.ts'
import { ignoringENOENT, isErrno, reasonOf, tolerating } from '../../lib/base/errno.ts'
import { quote, temporary } from '../../lib/base/exit.ts'
import { cloneTree } from '../../lib/spool/fan-out.ts'
import { makeDirectory } from '../../lib/spool/spool.ts'
import type { Spool } from '../../lib/spool/spool.ts'
import { trace } from '../../lib/system/trace.ts'
import { BadEvent, scanEvents } from './events.ts'
import type { Event } from './events.ts'

export interface ProjectDirectories {
  readonly name: string
  readonly revs: string
  /** Where its records are. */
  readonly making: string
  /** Where the records of events are that could not be made into tasks. */
  readonly failed: string
}

/** The project whose events are in this directory. */
export function projectOf(revs: string): ProjectDirectories {
  const path = resolve(revs)
  const [name, around] = [basename(path), dirname(path)]
  return { name, revs: path, making: join(around, '.making', name), failed: join(around, '.failed', name) }
}

/** The decision about a record, made once: the batch that holds its tasks, or why there will be none. */
export type Decision =
  { readonly batch: string; readonly names: readonly string[] } | { readonly failed: string }

/** The content of `names`: the batch and the names of its tasks, one a line; or `failed`, and why. Pure. */
export const formatDecision = (decision: Decision): string =>
  ('failed' in decision ? ['failed', decision.failed] : [decision.batch, ...decision.names]).join('\n') + '\n'

/** Pure. */
export function parseDecision(text: string): Decision {
  const [batch, ...rest] = text.trimEnd().split('\n')
  return batch === 'failed' ? { failed: rest.join('\n') } : { batch: batch!, names: rest }
}

/** Errors of a call on what another maker may have finished meanwhile. They prove nothing: a listing says whether it has. */
const MAYBE_GONE = ['ENOENT', 'ESTALE'] as const

const NAMES_FILE = 'names'

/** Where in a record events are whose path begins with `names`, which would be taken for the decision. */
const ASIDE = '.event'

const DONE = '.done-'

/** An event that was there for so many nanoseconds before it was taken is as it is meant to be. */
const JUST_NS = 50_000_000n

/** Largest size of the `KEY=VALUE` lines in bytes: they become an environment. */
const PARAMS_MAX = 65_536

const placeOf = (record: string, event: Event): string =>
  /^names(\/|$)/.test(join(event.ref, event.revision))
    ? join(record, ASIDE, event.ref)
    : join(record, event.ref)

/** Returns the records of a project, and deletes the remains of finished ones. */
export function listRecords(project: ProjectDirectories): string[] {
  const names = listAllIfThere(project.making)
  forget(project, names)
  return names.filter(name => !name.startsWith('.')).map(name => join(project.making, name))
}

/** Deletes the remains of finished records, for who has just finished some: one commit of a journal for all of them. */
export const forgetEnded = (project: ProjectDirectories): void =>
  forget(project, listAllIfThere(project.making))

/** A power cut may bring back a record that has ended, as its tasks are there; but not without its decision. */
function forget(project: ProjectDirectories, names: readonly string[]): void {
  const done = names.filter(name => name.startsWith(DONE))
  if (done.length > 0) fsyncPath(project.making)
  for (const name of done) remove(join(project.making, name))
}

/** True if a record is not there any more: another maker has ended it. Throws if that cannot be known. */
export const isEnded = (project: ProjectDirectories, record: string): boolean =>
  !listNow(project.making).includes(basename(record))

/** The event in a record; undefined if it holds none. Throws if something in it cannot be looked into. */
export function eventOf(record: string): Event | undefined {
  const inside = scanEvents(record).filter(event => event.ref !== '' || event.revision !== NAMES_FILE)
  return [...inside, ...scanEvents(join(record, ASIDE))][0]
}

/** The lines of the event in a record; throws BadEvent if it cannot be read. */
export function readParams(record: string, event: Event): string {
  const path = join(placeOf(record, event), event.revision)
  try {
    const { size } = statSync(path)
    if (size > PARAMS_MAX) throw new BadEvent(`it has ${size} bytes, and may have ${PARAMS_MAX}`)
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw isErrno(error, 'EACCES', 'EPERM') ? new BadEvent(reasonOf(error)) : error
  }
}

/** True of an event that is empty, and was taken so soon that lines may still be written into it. By one clock, that of the files. */
export function isJustOpened(record: string, event: Event): boolean {
  const place = placeOf(record, event)
  const { size } = statSync(join(place, event.revision))
  return size === 0 && statSync(place, { bigint: true }).mtimeNs - event.time < JUST_NS
}

/** Returns the decision about a record; undefined while there is none, or if the record is over. Throws if that cannot be known. */
export function decisionOf(record: string): Decision | undefined {
  if (!listIfThere(record).includes(NAMES_FILE)) return undefined
  const path = join(record, NAMES_FILE)
  const text = readIfThere(path)
  if (text === undefined) throw temporary(`read ${quote(path)}`, 'it is listed, and not there')
  return parseDecision(text)
}

/** E0 to E1: moves an event from $REVS into a record of its own. Undefined if another maker took it. */
export function takeEvent(project: ProjectDirectories, event: Event): string | undefined {
  const record = join(project.making, token())
  const place = placeOf(record, event)
  makeDirectory(place)
  fsyncPath(place)
  try {
    if (move(join(project.revs, event.ref, event.revision), join(place, event.revision))) {
      trace('E1', event.revision)
      return record
    }
    if (listIfThere(place).includes(event.revision)) return record
  } catch (error) {
    // Somebody took the empty record for one that was left behind. The event is where it was, or in a record that stays.
    if (!isErrno(error, ...MAYBE_GONE)) throw error
  }
  removeEmpty(record)
  return undefined
}

/** Removes a record that holds no event: it cannot remove one that does. */
export function removeEmpty(record: string): void {
  for (const name of listAllIfThere(record)) {
    if (lstatSync(join(record, name), { throwIfNoEntry: false })?.isDirectory())
      removeEmpty(join(record, name))
  }
  tolerating([...MAYBE_GONE, 'ENOTEMPTY', 'EEXIST'], () => rmdirSync(record))
}

const batchPath = (spool: Spool, project: ProjectDirectories, record: string, batch: string): string =>
  join(spool.tasks.tmp, `.${project.name}.${basename(record)}.${batch}`)

/** Tasks that are equal but for their names: `fill` puts the files into the first; the others are clones of that. */
export interface Group {
  readonly names: readonly string[]
  readonly fill: (task: string) => void
}

/**
 * E1: builds a batch for a record, a private directory that holds the finished tasks under their names, and fsyncs it
 * and what it follows from, the counter included. After an error there is no batch.
 */
export function buildBatch(
  spool: Spool,
  project: ProjectDirectories,
  record: string,
  event: Event,
  groups: readonly Group[],
): Decision {
  const batch = token()
  const path = batchPath(spool, project, record, batch)
  let built = false
  try {
    mkdirSync(path)
    for (const { names, fill } of groups) {
      const [first, ...others] = names.map(name => join(path, name))
      mkdirSync(first!)
      fill(first!)
      for (const task of others) cloneTree(first!, task)
      fsyncPath(first!)
    }
    fsyncPath(path)
    fsyncPath(spool.tasks.tmp)
    fsyncPath(spool.ctr)
    fsyncPath(placeOf(record, event))
    // The directory of the ref may have been removed since the event left it.
    ignoringENOENT(() => fsyncPath(join(project.revs, event.ref)))
    built = true
  } finally {
    if (!built) sweep(path)
  }
  return { batch, names: groups.flatMap(({ names }) => names) }
}

/**
 * E1 to E2: makes this the decision about a record, if there is none yet. Returns the decision that stands;
 * undefined if the record is gone, because another maker has made its tasks. A batch that was not chosen is
 * swept.
 */
export function decide(
  spool: Spool,
  project: ProjectDirectories,
  record: string,
  mine: Decision,
): Decision | undefined {
  try {
    publishFile(join(record, NAMES_FILE), formatDecision(mine))
  } catch (error) {
    if (!isErrno(error, ...MAYBE_GONE)) throw error
  }
  const stands = standing(project, record)
  trace('E2', basename(record))
  if ('batch' in mine && !(stands && 'batch' in stands && stands.batch === mine.batch)) {
    sweep(batchPath(spool, project, record, mine.batch))
  }
  return stands
}

/**
 * Returns the decision that stands about a record, after whatever a link said; undefined if the record is over. Through a path that was cached
 * before the record moved away, a link can succeed that decides nothing any more.
 */
function standing(project: ProjectDirectories, record: string): Decision | undefined {
  for (let tries = 1; ; tries++) {
    if (isEnded(project, record)) return undefined
    try {
      return decisionOf(record)
    } catch (error) {
      // It may have ended just now, which the listing says then.
      if (tries === 2) throw error
    }
  }
}

/**
 * E2 to E4: publishes the remaining tasks of a batch, durably, and ends the record. Returns the names if this
 * call ended it; what is left of it is for `forgetEnded`.
 */
export function publishBatch(
  spool: Spool,
  project: ProjectDirectories,
  record: string,
  { batch, names }: { readonly batch: string; readonly names: readonly string[] },
): readonly string[] {
  const path = batchPath(spool, project, record, batch)
  ignoringENOENT(() => fsyncPath(record))
  for (const name of names) move(join(path, name), join(spool.tasks.cur, name))
  fsyncPath(spool.tasks.cur)
  noteChange(spool.tasks.cur)
  trace('E3', names.join(' '))
  const ended = endRecord(project, record)
  tolerating([...MAYBE_GONE, 'ENOTEMPTY', 'EEXIST'], () => rmdirSync(path))
  return ended ? names : []
}

/** E3 to E4. Returns true if this call did it. */
function endRecord(project: ProjectDirectories, record: string): boolean {
  if (!move(record, join(project.making, DONE + basename(record)))) return false
  trace('E4', basename(record))
  return true
}

/** E2 to the end of an event that was given up: its record moves to `.failed`, for people. */
export function moveToFailed(project: ProjectDirectories, record: string): void {
  makeDirectory(project.failed)
  ignoringENOENT(() => fsyncPath(record))
  move(record, join(project.failed, basename(record)))
  fsyncPath(project.failed)
  fsyncPath(project.making)
}

/**
 * Sweeps the batches of a project that will never be published: their record is gone, or chose another. While
 * a record has no decision, its batch may be under construction.
 */
export function sweepBatches(tmp: string, project: ProjectDirectories): void {
  // Batches first: a record is there before its batch, so that of a listed batch can only be missing if it is done.
  const batches = mustListAll(tmp)
    .map(name => /^\.([^:]+)\.([0-9a-f]{16})\.([0-9a-f]{16})$/.exec(name))
    .filter(match => match?.[1] === project.name)
  if (batches.length === 0) return
  const records = listNow(project.making)
  for (const match of batches) {
    const [name, , record, batch] = match as unknown as [string, string, string, string]
    if (records.includes(record)) {
      const decision = decisionOf(join(project.making, record))
      if (decision === undefined || ('batch' in decision && decision.batch === batch)) continue
    }
    sweep(join(tmp, name))
  }
}
