// The projects of a farmer: one settings file each, `$FARMER_CONF/PROJECT/rc`, read again when it has changed.

import { statSync } from 'node:fs'
import { basename, join } from 'node:path'

import { ignoringENOENT } from '../../lib/base/errno.ts'
import { choice, optional, setting, words } from '../../lib/base/settings.ts'
import { limitsIn } from '../make/project-limits.ts'
import { settingsOfProject } from '../../lib/conf/sourced.ts'
import type { Forge } from '../../lib/forge/forge.ts'
import { TRUSTS } from '../../lib/forge/open.ts'
import type { Trust } from '../../lib/forge/open.ts'
import { forgeOf, repositoryKey } from '../../lib/forge/parse-forge.ts'
import { isPart, isTarget } from '../../lib/spool/task-name.ts'
import { listIfThere } from '../../lib/system/listing.ts'
import { warn } from '../../lib/system/log.ts'
import { longSecret } from './secret.ts'

export interface FarmProject {
  readonly name: string
  readonly settings: NodeJS.ProcessEnv
  readonly forge: Forge
  /** Where the farmer and its workers fetch from. */
  readonly clone: string
  /** The secret that webhooks are signed with; undefined: none is taken. */
  readonly secret: string | undefined
  /** `ARCH` or `ARCH:HOST`; each check runs for each. */
  readonly targets: readonly string[]
  readonly trust: Trust
  readonly supersede: 'changes' | 'all' | 'no'
  /** Its limits for its jobs, in place of those of a worker. */
  readonly limits: Readonly<Record<string, string>>
}

export class Projects {
  readonly #directory: string
  readonly #known = new Map<string, { readonly time: number; readonly project: FarmProject | undefined }>()

  constructor(directory: string) {
    this.#directory = directory
  }

  names(): string[] {
    return listIfThere(this.#directory).filter(name => isPart(name) && this.find(name) !== undefined)
  }

  /** True if another project is on the same repository. */
  isShared(project: FarmProject): boolean {
    const key = repositoryKey(project.forge)
    return this.names().some(name => {
      const other = name === project.name ? undefined : this.find(name)
      return other !== undefined && repositoryKey(other.forge) === key
    })
  }

  /** The project of this name; undefined if there is none, or its settings are wrong, which is said. */
  find(name: string): FarmProject | undefined {
    if (!isPart(name)) return undefined
    const rc = join(this.#directory, name, 'rc')
    const time = ignoringENOENT(() => statSync(rc).mtimeMs)
    if (time === undefined) return undefined
    const known = this.#known.get(name)
    if (known?.time === time) return known.project
    let project: FarmProject | undefined
    try {
      project = read(name, settingsOfProject(process.env, rc), rc)
    } catch (error) {
      warn('read the settings of', name, error)
    }
    this.#known.set(name, { time, project })
    return project
  }
}

function read(name: string, settings: NodeJS.ProcessEnv, rc: string): FarmProject | undefined {
  const forge = forgeOf(settings)
  if (!forge) return undefined
  const targets = words('ARCHS', settings)
  return {
    name,
    settings,
    forge,
    clone: optional('FARMER_CLONE', settings) ?? forge.cloneUrl,
    secret: longSecret('FORGE_SECRET', settings),
    targets: targets.length > 0 ? targets.filter(isTarget) : [setting('ARCH')],
    trust: choice('FORGE_TRUST', TRUSTS, settings),
    supersede: choice('SUPERSEDE', ['changes', 'all', 'no'], settings),
    limits: limitsIn(rc),
  }
}

/** Where a project is cloned to, by its name. */
export const mirrorOf = (directory: string, name: string): string =>
  join(directory, 'mirrors', `${basename(name)}.git`)
