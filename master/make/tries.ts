// How often it was tried to make tasks of an event. Each failure is a file in the record, so that makers that come and
// go count together; times are those the file server gave the files, so no clock of a maker is compared with another's.

import { lstatSync } from 'node:fs'
import { join } from 'node:path'

import { serverTime, token, writeNew } from '../../lib/system/durable.ts'
import { listAllIfThere } from '../../lib/system/listing.ts'
import { ignoringENOENT } from '../../lib/base/errno.ts'

const PREFIX = '.try-'

/** From the first try to the last at least this long, in milliseconds, before an event is given up. */
const LEAST_SPAN = 120_000

/** The longest pause, in milliseconds; the pauses of the default five tries add up to more than LEAST_SPAN. */
const LONGEST_PAUSE = 300_000
const FIRST_PAUSE = 10_000

/** Milliseconds to wait after so many tries. Pure. */
export const delayAfter = (tries: number): number =>
  tries === 0 ? 0 : Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (tries - 1))

/** Counts one more failure. Returns true if it was the last try. */
export function addTry(record: string, why: string, most: number): boolean {
  writeNew(join(record, PREFIX + token()), why + '\n')
  const times = timesOfTries(record)
  return times.length >= most && Math.max(...times) - Math.min(...times) >= LEAST_SPAN
}

/** How many milliseconds the record has to wait until it is tried again; 0 if it is its turn, or it is gone. */
export function pauseOf(record: string): number {
  const times = timesOfTries(record)
  if (times.length === 0) return 0
  const now = ignoringENOENT(() => serverTime(record)) ?? Infinity
  return Math.max(0, Math.max(...times) + delayAfter(times.length) - now)
}

/** How many tries failed so far. */
export const countTries = (record: string): number => timesOfTries(record).length

function timesOfTries(record: string): number[] {
  return listAllIfThere(record)
    .filter(name => name.startsWith(PREFIX))
    .flatMap(name => ignoringENOENT(() => lstatSync(join(record, name)).mtimeMs) ?? [])
}
