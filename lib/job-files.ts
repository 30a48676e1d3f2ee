// The layout of what a slave writes into a job directory, for those who write it and those who read it. Pure.

import { join } from 'node:path'

/** The directory of a step: `started`, `stdout.txt`, `stderr.txt`, `ended`, and last of all `exitcode.txt`. */
export const stepDirectory = (job: string, step: string): string => join(job, 'steps', step)

/** How a step ended: with a code of its own, by a signal (`KILL`), or because its time was up. */
export type StepEnd = { readonly code: number } | { readonly signal: string } | 'timeout'

/** The content of `exitcode.txt`. */
export function formatEnd(end: StepEnd): string {
  if (end === 'timeout') return 'timeout\n'
  return 'code' in end ? `${end.code}\n` : `signal ${end.signal}\n`
}

/** What `exitcode.txt` says; undefined if it says nothing. */
export function parseEnd(text: string): StepEnd | undefined {
  if (text.trim() === 'timeout') return 'timeout'
  const match = /^(?:(\d{1,3})|signal ([A-Z0-9]+))\n?$/.exec(text)
  if (!match) return undefined
  return match[2] === undefined ? { code: Number(match[1]) } : { signal: match[2] }
}
