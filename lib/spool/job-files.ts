// The layout of what a slave writes about the steps of a job. Pure.

import { join } from 'node:path'
import type { Path } from '../base/brand.ts'

/** The directory of a step: `started`, `stdout.txt`, `stderr.txt`, `ended`, and last of all `exitcode.txt`. */
export const stepDirectory = (job: Path, step: string): string => join(job, 'steps', step)

/**
 * Beside the exit code of a step that was ended by us, for no fault of its own: the reason in a word, `cancelled`, `lost`
 * or `drain`.
 */
export const STOPPED = 'stopped.txt'

/** How a process ended: with a code of its own, or by a signal (`KILL`). */
export type ProcessEnd = { readonly code: number } | { readonly signal: string }

/** The content of `exitcode.txt`. */
export function formatEnd(end: ProcessEnd | 'timeout'): string {
  if (end === 'timeout') return 'timeout\n'
  return 'code' in end ? `${end.code}\n` : `signal ${end.signal}\n`
}
