// The layout of what a slave writes about the steps of a job. Pure.

import { join } from 'node:path'

/** The directory of a step: `started`, `stdout.txt`, `stderr.txt`, `ended`, and last of all `exitcode.txt`. */
export const stepDirectory = (job: string, step: string): string => join(job, 'steps', step)

/** How a process ended: with a code of its own, or by a signal (`KILL`). */
export type ProcessEnd = { readonly code: number } | { readonly signal: string }

/** The content of `exitcode.txt`. */
export function formatEnd(end: ProcessEnd | 'timeout'): string {
  if (end === 'timeout') return 'timeout\n'
  return 'code' in end ? `${end.code}\n` : `signal ${end.signal}\n`
}
