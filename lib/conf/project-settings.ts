// The settings of a project, such as its repository: from this environment, or from the project's own file.

import { basename, join } from 'node:path'

import { listAllIfThere, listIfThere } from '../system/listing.ts'
import { optional } from '../base/settings.ts'
import type { Spool } from '../spool/spool.ts'
import { runSync } from '../system/run.ts'

/** The code repository of a project. */
export const repositoryOf = (spool: Spool, project: string) => ofProject(spool, project, 'PROJ')

/** A setting of a project: ours if this environment is that project's; else what `conf/PROJECT/rc` of the spool says. */
export function ofProject(
  spool: Spool,
  project: string,
  name: 'PROJ' | 'ARCHS' | 'FORGE',
): string | undefined {
  const [ours, conf] = [optional(name), join(spool.root, 'conf')]
  const revs = optional('REVS')
  if (ours !== undefined && revs !== undefined && basename(revs) === project) return ours
  if (listAllIfThere(conf).includes(project) && listAllIfThere(join(conf, project)).includes('rc')) {
    return sourcedFrom(join(conf, project, 'rc'), [name])[name]
  }
  return undefined
}

/** The projects that have events. */
export const projectsOf = (spool: Spool): string[] => listIfThere(spool.revs).sort()

/** Returns those of these settings that a settings file sets; none if it cannot be read. */
export function sourcedFrom(rc: string, names: readonly string[]): Record<string, string> {
  const unset = Object.fromEntries(names.map(name => [name, '']))
  const script = '. "$BASS_RC" >/dev/null && for name; do eval "printf \'%s\\0\' \\"\\${$name-}\\""; done'
  const { code, stdout } = runSync(['sh', '-c', script, 'sh', ...names], {
    env: { ...process.env, ...unset, BASS_RC: rc },
  })
  if (code !== 0) return {}
  const values = stdout.split('\0')
  return Object.fromEntries(
    names.map((name, i) => [name, values[i]!] as const).filter(([, value]) => value !== ''),
  )
}
