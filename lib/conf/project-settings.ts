// The settings of a project, such as its repository: from this environment, or from the project's own file.

import { basename, join } from 'node:path'

import { listAllIfThere, listIfThere } from '../system/listing.ts'
import { optional } from '../base/settings.ts'
import type { Spool } from '../spool/spool.ts'
import { EXIT, Fatal, lasting, quote } from '../base/exit.ts'
import { failureOf, runSync } from '../system/run.ts'

/** The code repository of a project. */
export const repositoryOf = (spool: Spool, project: string) => ofProject(spool, project, 'PROJ')

/**
 * A setting of a project: ours if this environment is that project's; else what `conf/PROJECT/rc` of the spool says, which is nothing
 * where it makes no sense to a shell.
 */
export function ofProject(
  spool: Spool,
  project: string,
  name: 'PROJ' | 'ARCHS' | 'FORGE',
): string | undefined {
  const [ours, conf] = [optional(name), join(spool.root, 'conf')]
  const revs = optional('REVS')
  if (ours !== undefined && revs !== undefined && basename(revs) === project) return ours
  if (listAllIfThere(conf).includes(project) && listAllIfThere(join(conf, project)).includes('rc')) {
    try {
      return sourcedFrom(join(conf, project, 'rc'), [name])[name]
    } catch (error) {
      if (!(error instanceof Fatal) || error.exitCode !== EXIT.lasting) throw error
    }
  }
  return undefined
}

/** The projects that have events. */
export const projectsOf = (spool: Spool): string[] => listIfThere(spool.revs).sort()

/** Returns those of these settings that a settings file sets. Throws Fatal if it cannot be read. */
export function sourcedFrom(rc: string, names: readonly string[]): Record<string, string> {
  const unset = Object.fromEntries(names.map(name => [name, '']))
  // What its last command says is nothing to us, as to lib/rc; a shell that cannot read it ends there.
  const script = '. "$BASS_RC" >/dev/null; for name; do eval "printf \'%s\\0\' \\"\\${$name-}\\""; done'
  const ended = runSync(['sh', '-c', script, 'sh', ...names], {
    env: { ...process.env, ...unset, BASS_RC: rc },
  })
  if (ended.code !== 0) throw lasting(`read the settings of ${quote(rc)}`, failureOf(ended))
  const values = ended.stdout.split('\0')
  return Object.fromEntries(
    names.map((name, i) => [name, values[i]!] as const).filter(([, value]) => value !== ''),
  )
}
