// The limits of a job and where it runs, from the settings.

import { ELSEWHERE, readBounds, readElsewhere } from '../../lib/base/elsewhere.ts'
import type { ContainerBounds, Elsewhere } from '../../lib/base/elsewhere.ts'
import { choice, count, duration, limit, optional, size, sizeLimit } from '../../lib/base/settings.ts'
import type { ArtifactLimits } from './artifacts.ts'
import { ISOLATE } from './places/open-place.ts'
import type { Isolate } from './places/open-place.ts'
import type { Environment } from '../../lib/base/settings.ts'

export interface Limits {
  /** Milliseconds; `Infinity` is no limit. Of silence, of a step, of all steps together. */
  readonly line: number
  readonly step: number
  readonly job: number
  /** Bytes of log that a step may write. */
  readonly log: number
  readonly artifacts: ArtifactLimits
  readonly isolate: Isolate
  /** False takes the network from steps in a sandbox. */
  readonly network: boolean
  /** Where steps run; without it here, unless the code asks for an image. */
  readonly elsewhere?: Elsewhere
  readonly container: ContainerBounds
  /** The user that steps run as; undefined: the taker's own. */
  readonly user?: string
  /** How many processes that user may have. */
  readonly procs?: number
  readonly prepare?: string
  readonly tmux: boolean
  /** How long a person may look at a failed job, in milliseconds. */
  readonly wait: number
}

/** Descriptions of the settings that `readLimits` reads, for help texts. */
export const LIMITS_HELP = {
  LINE_TIMEOUT: 'a step that says nothing for so long is ended',
  STEP_TIMEOUT: 'how long a step may take',
  JOB_TIMEOUT: 'how long all steps of a job may take together',
  LOG_MAX: 'how much log a step may write; then the log is cut and the step goes on',
  ARTIFACTS_MAX: 'how many bytes of artifacts a job may leave; the job says what was left out',
  ARTIFACTS_COUNT: 'how many files, directories and links of them',
  ISOLATE: 'how steps are held together: auto, pid, bwrap or no',
  STEP_NETWORK: 'no takes the network from steps in a sandbox of bwrap',
  IMAGE: 'the image of a container to run the steps in; else .bass/image in the code names it',
  RUN_IN: 'ssh:HOST runs the steps on that machine; here, on this one, whatever .bass/image says',
  CONTAINER: 'podman or docker; CONTAINER_NETWORK, _CPUS, _MEMORY, _PIDS bound it',
  STEP_USER: 'the user whom steps run as, when this runs as root; one of its own for each slot',
  STEP_PROCS: 'how many processes that user may have',
  STEP_ENV: 'names of variables that steps get from this environment',
  SECRETS: 'the same, and their values are shown as *** in env.txt and the logs',
  PREPARE: 'a command to run before the steps, in the temporary directory; it may fill $BASS_PKG',
} as const

const UNDECIDED = Object.fromEntries(ELSEWHERE.map(name => [name, undefined]))

/**
 * The limits of the settings; `asked` is what a task says, which stands before what this machine does. A task that says where
 * its steps run decides that alone.
 */
export function readLimits(settings: Environment = process.env, asked: Environment = {}): Limits {
  const place = ELSEWHERE.some(name => optional(name, asked) !== undefined) ? UNDECIDED : {}
  const env: Environment = { ...settings, ...place, ...asked }
  const elsewhere = readElsewhere(env)
  const user = optional('STEP_USER', env)
  const prepare = optional('PREPARE', env)
  return {
    line: limit('LINE_TIMEOUT', env),
    step: limit('STEP_TIMEOUT', env),
    job: limit('JOB_TIMEOUT', env),
    log: sizeLimit('LOG_MAX', env),
    artifacts: {
      bytes: sizeLimit('ARTIFACTS_MAX', env),
      count: count('ARTIFACTS_COUNT', env) || Infinity,
      free: size('DISK_MIN', env),
    },
    isolate: choice('ISOLATE', ISOLATE, env),
    network: choice('STEP_NETWORK', ['yes', 'no'], env) === 'yes',
    ...(elsewhere ? { elsewhere } : {}),
    container: readBounds(env),
    ...(user === undefined ? {} : { user }),
    ...(optional('STEP_PROCS', env) === undefined ? {} : { procs: count('STEP_PROCS', env) }),
    ...(prepare === undefined ? {} : { prepare }),
    tmux: choice('JOB_TMUX', ['yes', 'no'], env) === 'yes',
    wait: duration('FAILED_JOB_WAITTIME', env),
  }
}
