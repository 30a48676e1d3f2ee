// The API of a project's forge, and whom of its authors a project trusts.

import { optional } from '../base/settings.ts'
import type { ForgeApi } from './api.ts'
import { credentialOf, tokenEnvironment } from './credential.ts'
import type { Credential } from './credential.ts'
import type { Change, Forge, ForgeKind, ForgeAddress } from './forge.ts'
import { giteaForgeApi } from './gitea-api.ts'
import { githubForgeApi } from './github-api.ts'
import { gitlabForgeApi } from './gitlab-api.ts'

const APIS: Partial<Record<ForgeKind, (place: ForgeAddress, credential: Credential) => ForgeApi>> = {
  github: githubForgeApi,
  gitea: giteaForgeApi,
  forgejo: giteaForgeApi,
  gitlab: gitlabForgeApi,
}

/** The API of a forge; undefined where it has none, or the settings hold no credential. */
export function openApi({ place }: Forge, env: NodeJS.ProcessEnv = process.env): ForgeApi | undefined {
  const open = APIS[place.kind]
  if (open === undefined) return undefined
  const credential = credentialOf(place, env)
  return credential && open(place, credential)
}

export const TRUSTS = ['members', 'all', 'none'] as const
export type Trust = (typeof TRUSTS)[number]

/**
 * True if a change runs at once: with `members`, if its head is in the repository itself, where only those push who may, or
 * its author may push or is known to the forge as a member. Throws ForgeError where the forge would know and cannot be asked.
 */
export async function isTrusted(change: Change, trust: Trust, api: ForgeApi | undefined): Promise<boolean> {
  if (trust !== 'members') return trust === 'all'
  return !change.fork || change.member || (await api?.mayPush(change)) === true
}

/** The environment that git needs to fetch from a forge; empty without a credential, or where git has its own. */
export async function gitAccess({ place, cloneUrl }: Forge, env: NodeJS.ProcessEnv = process.env) {
  if (!/^https?:/.test(cloneUrl) || optional('FORGE', env) === undefined) return {}
  const credential = credentialOf(place, env)
  return credential ? tokenEnvironment(place, await credential()) : {}
}
