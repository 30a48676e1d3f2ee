// The settings of a slave, read once when it starts.

import { duration, optional, pollInterval, setting, size, sizeLimit } from '../../lib/base/settings.ts'
import type { Environment } from '../../lib/base/settings.ts'
import { readLossSettings } from '../../lib/spool/lose.ts'
import type { LossSettings } from '../../lib/spool/lose.ts'

/** Times are in milliseconds, sizes in bytes. */
export interface SlaveSettings extends LossSettings {
  readonly host: string
  readonly arch: string
  /** How often to look for tasks. */
  readonly poll: number
  /** After how long without a sign of life others take a job for lost. */
  readonly lostAfter: number
  /** Where jobs have their temporary directories. */
  readonly jobtmp: string
  /** How long the temporary directory of a failed job is kept, unless its project says otherwise. */
  readonly keep: number
  /** How much room must be left on each disk to take a task. */
  readonly diskMin: number
  /** Most bytes of a bundle, unpacked. */
  readonly bundleMax: number
  /** PATH of the steps; undefined if it is not set, which is a fault of this machine. */
  readonly path: string | undefined
  /** How long a job may go on after TERM. */
  readonly drain: number
}

export function readSlaveSettings(env: Environment = process.env): SlaveSettings {
  return {
    ...readLossSettings(env),
    arch: setting('ARCH', env),
    poll: pollInterval(env),
    lostAfter: duration('LOST_AFTER', env),
    jobtmp: setting('JOBTMP', env),
    keep: duration('FAILED_JOB_WAITTIME', env),
    diskMin: size('DISK_MIN', env),
    bundleMax: sizeLimit('BUNDLE_MAX', env),
    path: optional('PATH', env),
    drain: duration('DRAIN', env),
  }
}
