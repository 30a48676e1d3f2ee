// Where on this host the code of a project is: it is in the settings, of this environment or of the project's own file.

import { spawnSync } from 'node:child_process'
import { basename, join } from 'node:path'

import { list, lists } from './durable.ts'
import { optional } from './settings.ts'
import type { Spool } from './spool.ts'

/** The code repository of a project: $PROJ if it is that project's; else what `conf/PROJECT/rc` of the spool says. */
export function repositoryOf(spool: Spool, project: string): string | undefined {
  const [ours, conf] = [optional('PROJ'), join(spool.root, 'conf')]
  const revs = optional('REVS')
  if (ours !== undefined && revs !== undefined && basename(revs) === project) return ours
  if (lists(conf, project) && lists(join(conf, project), 'rc')) return sourced(join(conf, project, 'rc'))
  return undefined
}

/** The projects that have events. */
export const projectsOf = (spool: Spool): string[] => list(spool.revs).sort()

function sourced(rc: string): string | undefined {
  const { status, stdout } = spawnSync('sh', ['-c', '. "$BASS_RC" && printf %s "${PROJ-}"'], {
    env: { ...process.env, PROJ: '', BASS_RC: rc },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  return status === 0 && stdout !== '' ? stdout : undefined
}
