// What the settings say of a project, such as where its code is: those of this environment, or of the project's own file.

import { spawnSync } from 'node:child_process'
import { basename, join } from 'node:path'

import { listAllIfThere, listIfThere } from '../system/listing.ts'
import { notStarted } from '../base/exit.ts'
import { optional } from '../base/settings.ts'
import type { Spool } from '../spool/spool.ts'

/** The code repository of a project. */
export const repositoryOf = (spool: Spool, project: string) => ofProject(spool, project, 'PROJ')

/** A setting of a project: ours if this environment is that project's; else what `conf/PROJECT/rc` of the spool says. */
export function ofProject(spool: Spool, project: string, name: 'PROJ' | 'ARCHS'): string | undefined {
  const [ours, conf] = [optional(name), join(spool.root, 'conf')]
  const revs = optional('REVS')
  if (ours !== undefined && revs !== undefined && basename(revs) === project) return ours
  if (listAllIfThere(conf).includes(project) && listAllIfThere(join(conf, project)).includes('rc')) {
    return sourced(join(conf, project, 'rc'), name)
  }
  return undefined
}

/** The projects that have events. */
export const projectsOf = (spool: Spool): string[] => listIfThere(spool.revs).sort()

function sourced(rc: string, name: string): string | undefined {
  const { status, stdout, error } = spawnSync('sh', ['-c', `. "$BASS_RC" && printf %s "\${${name}-}"`], {
    env: { ...process.env, [name]: '', BASS_RC: rc },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  if (error) throw notStarted('sh', error)
  return status === 0 && stdout !== '' ? stdout : undefined
}
