// A project whose code is on a forge, as its settings say.

import { basename, join } from 'node:path'

import { Fatal, lasting, quote } from '../../lib/base/exit.ts'
import { choice, limit, setting } from '../../lib/base/settings.ts'
import { projectFiles, settingsOfProject } from '../../lib/conf/sourced.ts'
import type { ForgeApi } from '../../lib/forge/api.ts'
import type { Forge } from '../../lib/forge/forge.ts'
import { openApi, TRUSTS } from '../../lib/forge/open.ts'
import type { Trust } from '../../lib/forge/open.ts'
import { forgeOf } from '../../lib/forge/parse-forge.ts'
import { inboxOf } from '../receive/inbox.ts'
import type { Inbox } from '../receive/inbox.ts'
import type { Spool } from '../../lib/spool/spool.ts'

export interface ForgeProject {
  readonly name: string
  readonly env: NodeJS.ProcessEnv
  readonly forge: Forge
  /** How the forge is asked; undefined without a token. */
  readonly api: ForgeApi | undefined
  /** Where its code is mirrored. */
  readonly mirror: string
  /** Where its events go. */
  readonly revs: string
  /** Where the events of changes wait that a person is to approve. */
  readonly held: string
  readonly inbox: Inbox
  /** Whose changes run at once. */
  readonly trust: Trust
  /** Whose old work a new commit cancels. */
  readonly supersede: 'changes' | 'all' | 'no'
  /** How often to look at the forge, in milliseconds; without end: never. */
  readonly poll: number
  /** How long records are kept that are done, in milliseconds; without end: until somebody removes them. */
  readonly retention: number
}

/** A project whose settings cannot be used, and why. */
export interface OddProject {
  readonly name: string
  readonly error: Fatal
}

/**
 * The projects of a spool that are on a forge, only `named` ones, if there are any; and those whose settings cannot be used. Throws
 * Fatal if there is none that can be worked for.
 */
export function forgeProjects(
  spool: Spool,
  named: readonly string[],
): { readonly projects: ForgeProject[]; readonly odd: OddProject[] } {
  const files = projectFiles(spool.root)
  const unknown = named.find(name => !files.has(name))
  if (unknown !== undefined)
    throw lasting(`fetch for ${quote(unknown)}`, `there is no ${quote(`conf/${unknown}/rc`)}`)
  const projects: ForgeProject[] = []
  const odd: OddProject[] = []
  for (const name of named.length > 0 ? named : files.keys()) {
    try {
      const project = openProject(spool, name, files.get(name)!)
      if (project) projects.push(project)
    } catch (error) {
      if (!(error instanceof Fatal)) throw error
      odd.push({ name, error })
    }
  }
  if (projects.length > 0) return { projects, odd }
  if (odd[0]) throw odd[0].error
  throw lasting('fetch for any project', "none has FORGE in its settings; 'bass init --forge' writes it")
}

/** A project as its settings are now; undefined if it is on no forge. Throws Fatal if they cannot be used. */
export function forgeProject(spool: Spool, name: string): ForgeProject | undefined {
  const rc = projectFiles(spool.root).get(name)
  return rc === undefined ? undefined : openProject(spool, name, rc)
}

function openProject(spool: Spool, name: string, rc: string): ForgeProject | undefined {
  const env = settingsOfProject(process.env, rc)
  const forge = forgeOf(env)
  if (!forge) return undefined
  const revs = setting('REVS', env)
  return {
    name,
    env,
    forge,
    api: openApi(forge, env),
    mirror: setting('PROJ', env),
    revs,
    held: join(spool.root, 'held', basename(revs)),
    inbox: inboxOf(spool, name),
    trust: choice('FORGE_TRUST', TRUSTS, env),
    supersede: choice('SUPERSEDE', ['changes', 'all', 'no'], env),
    poll: limit('FORGE_POLL', env),
    retention: limit('RETENTION', env),
  }
}
