// The fetcher's memory from one delivery to the next: the tips that were dealt with, and the changes.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { readIfThere, replaceFile } from '../../lib/system/durable.ts'
import { listAllIfThere, listIfThere } from '../../lib/system/listing.ts'
import type { Inbox } from '../receive/inbox.ts'

/** The state of a change. */
export interface ChangeState {
  readonly number: number
  readonly open: boolean
  /** The commit that its newest event is of. */
  readonly head: string
  readonly ref: string
  readonly title: string
  readonly author: string
  readonly member: boolean
  readonly fork: boolean
  readonly url: string | null
  readonly base: string | null
  readonly target: string
  /** The branch that it comes from; undefined in what was written before this was kept. */
  readonly source?: string
  /** When the forge changed it last, in milliseconds since 1970; 0 where it does not say. */
  readonly updated: number
}

const TIPS = 'tips'

/** The tips that were dealt with, by ref; undefined before the first look at the forge. */
export function readTips(inbox: Inbox): Map<string, string> | undefined {
  if (!listAllIfThere(inbox.root).includes(TIPS)) return undefined
  // A line for each ref, also of every change that ever was: it may well be longer than `readIfThere` takes.
  const lines = readFileSync(join(inbox.root, TIPS), 'utf8').split('\n')
  return new Map(
    lines
      .filter(line => line !== '')
      .map(line => [line.slice(line.indexOf(' ') + 1), line.split(' ', 1)[0]!]),
  )
}

/** Durable. */
export function writeTips(inbox: Inbox, tips: ReadonlyMap<string, string>, tmp: string): void {
  const lines = [...tips].map(([ref, id]) => `${id} ${ref}\n`)
  replaceFile(join(inbox.root, TIPS), lines.join(''), tmp)
}

/** The state of one change; undefined if it was never heard of. */
export const readChange = (inbox: Inbox, number: number): ChangeState | undefined =>
  readChanges(inbox, [number])[0]

/** The states of these changes, without those that were never heard of; or of all. One listing, however many there are. */
export function readChanges(inbox: Inbox, numbers?: Iterable<number>): ChangeState[] {
  const there = listIfThere(inbox.changes).filter(name => /^\d+$/.test(name))
  const wanted = numbers && new Set([...numbers].map(String))
  return there
    .filter(name => wanted?.has(name) ?? true)
    .flatMap(name => {
      const text = readIfThere(join(inbox.changes, name))
      return text === undefined ? [] : (JSON.parse(text) as ChangeState)
    })
}

/** Durable. */
export const writeChange = (inbox: Inbox, change: ChangeState, tmp: string): void =>
  replaceFile(join(inbox.changes, String(change.number)), JSON.stringify(change) + '\n', tmp)
