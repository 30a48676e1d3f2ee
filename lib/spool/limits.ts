// A task's file `limits.txt`: what its project sets for its jobs, their limits and where they run, as lines KEY=VALUE, as the
// settings of these names.

import { BOUNDS, ELSEWHERE } from '../base/elsewhere.ts'
import { parseParams } from './event.ts'

export const LIMITS = [
  'LINE_TIMEOUT',
  'STEP_TIMEOUT',
  'JOB_TIMEOUT',
  'LOG_MAX',
  'ARTIFACTS_MAX',
  'ARTIFACTS_COUNT',
  'FAILED_JOB_WAITTIME',
  ...ELSEWHERE,
  ...BOUNDS,
] as const

export type LimitName = (typeof LIMITS)[number]

/** The content of `limits.txt`: the settings that are limits, and nothing else of it. Pure. */
export function parseLimits(text: string): Readonly<Record<string, string>> {
  const known: readonly string[] = LIMITS
  return Object.fromEntries(Object.entries(parseParams(text)).filter(([name]) => known.includes(name)))
}
