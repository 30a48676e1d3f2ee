// The settings that decide how a slave runs jobs, for the help of the commands that run one.

import { LIMITS_HELP } from './run/limits.ts'

export const SPOOL_SETTINGS = { 'SPOOL, TASKS, JOBS': 'where the spool is' } as const

export const RUN_SETTINGS = {
  'ARCH, HOST': 'what this machine is; only work for both is taken',
  JOBTMP: "where jobs have their temporary directories, on the slave's own disk",
  FAILED_JOB_WAITTIME: 'how long the temporary directory of a failed job is kept',
  BUNDLE_MAX: 'how many bytes a bundle may have, unpacked',
  DISK_MIN: 'how much room must be left on disk to take another task',
  DRAIN: 'how long a job may go on after TERM; then it is given back',
  ...LIMITS_HELP,
} as const
