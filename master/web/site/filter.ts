// Which rows of the index a page is about.

import { STATES } from './states.ts'
import type { State } from './states.ts'
import type { TextColumn } from './text-column.ts'

/** The filter; a missing field filters nothing. */
export interface Filter {
  readonly project?: string | undefined
  readonly ref?: string | undefined
  readonly state?: State | undefined
  readonly arch?: string | undefined
  readonly host?: string | undefined
  /** The beginning of a commit id, of 4 digits or more. */
  readonly commit?: string | undefined
  /** Part of a version, of the title or author of a change, its number, or the beginning of a commit id. */
  readonly text?: string | undefined
}

/** The facts of each row of the index, a column for each. */
export interface Columns {
  /** `PROJECT:VERSION`. */
  readonly revision: TextColumn
  /** `ARCH` or `ARCH:HOST`. */
  readonly target: TextColumn
  readonly ref: TextColumn
  /** Where it ran. */
  readonly host: TextColumn
  /** The name of its check. */
  readonly label: TextColumn
  /** Of a change: its number, title and author, a line each. */
  readonly change: TextColumn
  /** The first 8 digits of the commit id. */
  readonly commit: Uint32Array
  readonly state: Uint8Array
}

/** Returns what chooses a row. */
export function chooser(filter: Filter, columns: Columns): (row: number) => boolean {
  const { project, ref, state, arch, host, text, commit } = filter
  const { revision, target, change } = columns
  const tests: ((row: number) => boolean)[] = []
  if (project !== undefined) tests.push(revision.test(key => key.startsWith(`${project}:`)))
  if (text !== undefined) {
    const inVersion = revision.test(key => key.slice(key.indexOf(':')).includes(text))
    const inChange = change.test(isAbout(text))
    const ofCommit = beginsWith(columns, text)
    tests.push(row => inVersion(row) || inChange(row) || ofCommit(row))
  }
  if (commit !== undefined) tests.push(beginsWith(columns, commit))
  if (arch !== undefined) tests.push(target.test(key => key === arch || key.startsWith(`${arch}:`)))
  for (const [wanted, column] of [
    [ref, columns.ref],
    [host, columns.host],
  ] as const) {
    if (wanted === undefined) continue
    const id = column.find(wanted)
    tests.push(row => column.ids[row] === id)
  }
  if (state !== undefined) {
    const code = STATES.indexOf(state)
    tests.push(row => columns.state[row] === code)
  }
  return row => tests.every(test => test(row))
}

/** `7` and `#7` are a number; any other text is a part of title or author, whatever their case. */
function isAbout(text: string): (change: string) => boolean {
  const [, number] = /^#?([1-9]\d{0,14})$/.exec(text) ?? []
  const part = text.toLowerCase()
  return change => {
    if (change === '') return false
    const end = change.indexOf('\n')
    return (
      change.slice(0, end) === number ||
      change
        .slice(end + 1)
        .toLowerCase()
        .includes(part)
    )
  }
}

/** By its first 8 digits: so much of a commit id is in memory. */
function beginsWith({ commit, state }: Columns, prefix: string): (row: number) => boolean {
  if (!/^[0-9a-f]{4,64}$/.test(prefix)) return () => false
  const [low, high] = ['0', 'f'].map(digit => parseInt(prefix.slice(0, 8).padEnd(8, digit), 16))
  return row => state[row] !== 0 && commit[row]! >= low! && commit[row]! <= high!
}
