// The counter: `tasks/ctr` holds a directory named by the last number given out. It grows by renaming that directory,
// which only one can do; the largest number wins where there are several. A gap is fine, a repeat is not.

import { mkdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'

import { fsyncPath } from '../system/durable.ts'
import { listNow, refresh } from '../system/polled.ts'
import { listIfThere, mustList } from '../system/listing.ts'
import { isErrno, tolerating } from '../base/errno.ts'
import { lasting, quote, temporary } from '../base/exit.ts'

/** How often it is tried to rename what was listed. So many others are never faster; a name that cannot be renamed is no number. */
const RENAME_TRIES = 1000

/** The next `count` numbers, the first of them; they are ours alone and the counter is durable before this returns. */
export function takeNumbers(ctr: string, count: number): number {
  const first = drawNumbers(ctr, count)
  fsyncPath(ctr)
  return first
}

/**
 * As `takeNumbers`, for a caller that itself fsyncs the counter before a number is in a published name. A counter is
 * never made here: a spool without one may have lost it, and numbers would repeat.
 */
export function drawNumbers(ctr: string, count: number): number {
  for (let tries = 0; tries < RENAME_TRIES; tries++) {
    // A name that was listed and is not there came from the client's memory.
    const last = lastNumber(ctr, tries === 0 ? mustList : listNow)
    try {
      renameSync(join(ctr, String(last)), join(ctr, String(last + count)))
    } catch (error) {
      // Another process was faster, or it was us and the answer was lost: then these numbers are a gap.
      if (isErrno(error, 'ENOENT')) continue
      throw error
    }
    return last + 1
  }
  throw temporary(`take a number from ${quote(ctr)}`, 'what it lists cannot be renamed')
}

/** The last number given out, by the first look at the directory that `list` takes. */
export function lastNumber(ctr: string, list: (directory: string) => string[] = mustList): number {
  const numbers = listCounter(ctr, /^(0|[1-9]\d{0,14})$/, list)
  if (numbers.length > 0) return Math.max(...numbers.map(Number))
  throw lasting(
    `read the counter in ${quote(ctr)}`,
    "it holds no number; if this spool is new, 'bass init' makes one, else make a directory there named by the largest number of any task",
  )
}

/** True if `ctr` holds anything at all. */
export const hasCounter = (ctr: string): boolean => listCounter(ctr, /^/, listIfThere).length > 0

/** While the one name there is is being renamed, a listing may miss it: one without any is read again. */
function listCounter(ctr: string, names: RegExp, list: (directory: string) => string[]): string[] {
  for (let tries = 0; tries < 10; tries++) {
    if (tries > 0) refresh(ctr)
    const found = list(ctr).filter(name => names.test(name))
    if (found.length > 0) return found
  }
  return []
}

/** Makes the counter of a new spool, where `ctr` holds nothing. Two may do it at a time. */
export function makeCounter(ctr: string): void {
  if (hasCounter(ctr)) return
  tolerating(['EEXIST'], () => mkdirSync(join(ctr, '0')))
  fsyncPath(ctr)
}
