// The holder of a slot: the highest of the files `holder.N` in the slot's directory in the spool, each with a name that is
// taken once and for ever. To look whether anybody works there and to say that one does are two calls, and two takers that
// start at once may both look first; but only one of them gets the next name, and the other finds it there.

import { unlinkSync } from 'node:fs'
import { join } from 'node:path'

import { ignoringENOENT } from '../../lib/base/errno.ts'
import { publishFile, readIfThere } from '../../lib/system/durable.ts'
import { mustList } from '../../lib/system/listing.ts'

const pathOf = (directory: string, number: number) => join(directory, `holder.${number}`)

/**
 * Takes a directory for the process that `about` describes. Returns undefined, or what describes the one that has it
 * already, according to `isAlive`. Files are prepared in `tmp`.
 */
export function hold(
  directory: string,
  about: string,
  isAlive: (about: string) => boolean,
  tmp: string,
): string | undefined {
  for (;;) {
    const last = Math.max(0, ...holdersIn(directory))
    const other = readIfThere(pathOf(directory, last)) ?? ''
    if (isAlive(other)) return other
    const mine = last + 1
    if (!publishFile(pathOf(directory, mine), about, 0o666, tmp)) continue
    const there = holdersIn(directory)
    // Our listing was old, and ours is a name that was used up long ago.
    const isLate = there.some(number => number > mine)
    for (const number of isLate ? [mine] : there.filter(number => number < mine)) {
      ignoringENOENT(() => unlinkSync(pathOf(directory, number)))
    }
    if (!isLate) return undefined
  }
}

const holdersIn = (directory: string): number[] =>
  mustList(directory)
    .map(name => /^holder\.([1-9]\d{0,14})$/.exec(name)?.[1])
    .filter(number => number !== undefined)
    .map(Number)
