// The limits that a project sets for its jobs. They travel with each task, to whatever machine takes it.

import { join } from 'node:path'

import { readBounds, readElsewhere } from '../../lib/base/elsewhere.ts'
import { count, duration, optional, size } from '../../lib/base/settings.ts'
import { LIMITS } from '../../lib/spool/limits.ts'
import type { LimitName } from '../../lib/spool/limits.ts'
import type { Spool } from '../../lib/spool/spool.ts'
import { listAllIfThere } from '../../lib/system/listing.ts'
import { sourcedFrom } from '../../lib/conf/project-settings.ts'

const READERS: Readonly<Partial<Record<LimitName, (name: string, env: Record<string, string>) => unknown>>> =
  {
    LINE_TIMEOUT: duration,
    STEP_TIMEOUT: duration,
    JOB_TIMEOUT: duration,
    LOG_MAX: size,
    ARTIFACTS_MAX: size,
    ARTIFACTS_COUNT: count,
    FAILED_JOB_WAITTIME: duration,
  }

/**
 * Returns those of LIMITS that `conf/PROJECT/rc` of the spool sets; not what `conf/rc` has for all projects, which the takers have
 * themselves. Throws a lasting Fatal if one cannot be read.
 */
export function projectLimits(spool: Spool, project: string): Record<string, string> {
  const conf = join(spool.root, 'conf')
  const has = (directory: string, name: string) => listAllIfThere(directory).includes(name)
  if (!has(conf, project) || !has(join(conf, project), 'rc')) return {}
  return limitsIn(
    join(conf, project, 'rc'),
    has(conf, 'rc') ? sourcedFrom(join(conf, 'rc'), LIMITS) : undefined,
  )
}

/** Returns those of LIMITS that the file `rc` of a project sets, but for what it repeats of `common`. Throws as `projectLimits`. */
export function limitsIn(
  rc: string,
  common: Readonly<Record<string, string | undefined>> = {},
): Record<string, string> {
  const own = sourcedFrom(rc, LIMITS)
  const limits: Record<string, string> = {}
  for (const name of LIMITS) {
    const value = optional(name, own)
    if (value === undefined || value === common[name]) continue
    READERS[name]?.(name, own)
    limits[name] = value
  }
  readElsewhere(limits)
  readBounds({ CONTAINER_NETWORK: 'none', ...limits })
  return limits
}
