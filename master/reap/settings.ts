// The settings of a reaper, read once when it starts. Times are in milliseconds.

import { duration, limit, pollInterval } from '../../lib/base/settings.ts'
import type { Environment } from '../../lib/base/settings.ts'
import { readLossSettings } from '../../lib/spool/lose.ts'
import type { LossSettings } from '../../lib/spool/lose.ts'

export interface ReaperSettings extends LossSettings {
  /** How often to look. */
  readonly poll: number
  /** After how long without a sign of life a job is lost. */
  readonly lostAfter: number
  /** How long a job that is over stays in `jobs/cur`. */
  readonly settle: number
  /** How long tasks and jobs that are over are kept; Infinity where nobody is to delete them. */
  readonly retention: number
  /** How long something half-made must not have changed to be swept. */
  readonly sweepAfter: number
}

export function readReaperSettings(env: Environment = process.env): ReaperSettings {
  return {
    ...readLossSettings(env),
    poll: pollInterval(env),
    lostAfter: duration('LOST_AFTER', env),
    settle: duration('SETTLE', env),
    retention: limit('RETENTION', env),
    sweepAfter: duration('SWEEP_AFTER', env),
  }
}
