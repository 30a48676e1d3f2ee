// A project whose code is on a forge, as its settings say.

import { basename, join } from 'node:path'

import { lasting, quote } from '../../lib/base/exit.ts'
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

/** The projects of a spool that are on a forge; only `named` ones, if there are any. */
export function forgeProjects(spool: Spool, named: readonly string[]): ForgeProject[] {
  const files = projectFiles(spool.root)
  const odd = named.find(name => !files.has(name))
  if (odd !== undefined) throw lasting(`fetch for ${quote(odd)}`, `there is no ${quote(`conf/${odd}/rc`)}`)
  const projects = [...files]
    .filter(([name]) => named.length === 0 || named.includes(name))
    .flatMap(([name, rc]) => openProject(spool, name, settingsOfProject(process.env, rc)) ?? [])
  if (projects.length === 0)
    throw lasting('fetch for any project', "none has FORGE in its settings; 'bass init --forge' writes it")
  return projects
}

function openProject(spool: Spool, name: string, env: NodeJS.ProcessEnv): ForgeProject | undefined {
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
