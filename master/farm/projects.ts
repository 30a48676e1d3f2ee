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
import { warnOnce } from '../../lib/system/log.ts'
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

/** How long settings that are wrong are not read again, in milliseconds: what is wrong may be in a file that they name. */
const WRONG_MS = 1000

/** What was read of a project, and which file that was. */
interface Read {
  readonly stamp: string
  readonly project: FarmProject | undefined
  /** What is wrong with its settings, and until when that counts. */
  readonly wrong?: { readonly error: unknown; readonly until: number }
}

export class Projects {
  readonly #directory: string
  readonly #known = new Map<string, Read>()

  constructor(directory: string) {
    this.#directory = directory
  }

  names(): string[] {
    return listIfThere(this.#directory).filter(name => this.findIfWell(name) !== undefined)
  }

  /** True if another project is on the same repository. */
  isShared(project: FarmProject): boolean {
    const key = repositoryKey(project.forge)
    return this.names().some(name => {
      const other = name === project.name ? undefined : this.findIfWell(name)
      return other !== undefined && repositoryKey(other.forge) === key
    })
  }

  /** The project of this name; undefined if there is none. Throws if its settings are wrong: then nobody knows what it is. */
  find(name: string): FarmProject | undefined {
    const { project, wrong } = this.#read(name)
    if (wrong) throw wrong.error
    return project
  }

  /** As `find`; undefined also if its settings are wrong. */
  findIfWell(name: string): FarmProject | undefined {
    return this.#read(name).project
  }

  #read(name: string): Read {
    const none = { stamp: '', project: undefined }
    if (!isPart(name)) return none
    const rc = join(this.#directory, name, 'rc')
    const stat = ignoringENOENT(() => statSync(rc))
    if (stat === undefined) return none
    const stamp = `${stat.ino} ${stat.mtimeMs} ${stat.size}`
    const known = this.#known.get(name)
    if (known?.stamp === stamp && !(known.wrong && known.wrong.until < performance.now())) return known
    const found = this.#readAnew(name, rc, stamp)
    this.#known.set(name, found)
    return found
  }

  #readAnew(name: string, rc: string, stamp: string): Read {
    try {
      return { stamp, project: read(name, settingsOfProject(process.env, rc), rc) }
    } catch (error) {
      warnOnce('read the settings of', name, error)
      return { stamp, project: undefined, wrong: { error, until: performance.now() + WRONG_MS } }
    }
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
