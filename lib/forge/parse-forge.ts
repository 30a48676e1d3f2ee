// Parses the setting FORGE.

import { lasting, quote } from '../base/exit.ts'
import { optional } from '../base/settings.ts'
import { FORGE_KINDS } from './forge.ts'
import type { Forge, ForgeKind, ForgeAddress } from './forge.ts'
import { gitForge } from './git.ts'
import { gitea } from './gitea.ts'
import { github } from './github.ts'
import { gitlab } from './gitlab.ts'

const OF_KIND: Record<ForgeKind, (place: ForgeAddress) => Forge> = {
  github,
  gitea,
  forgejo: gitea,
  gitlab,
  git: gitForge,
}

/** Where a forge is that is named without its address. */
const USUAL: Partial<Record<ForgeKind, string>> = {
  github: 'https://github.com',
  gitlab: 'https://gitlab.com',
}

/** The forge that FORGE names; undefined where it is unset. Ends the program with 100 if it names none. */
export function forgeOf(env: NodeJS.ProcessEnv = process.env): Forge | undefined {
  const text = optional('FORGE', env)
  return text === undefined ? undefined : parseForge(text)
}

/** The same text for all names of a repository, and another for each other one. */
export const repositoryKey = ({ place }: Forge): string => `${place.server}/${place.path}`.toLowerCase()

/**
 * The forge named by `github:OWNER/REPO`, `gitea:URL/OWNER/REPO`, `forgejo:URL/OWNER/REPO`, `gitlab:[URL/]GROUP/.../REPO`
 * or `git:URL`; GitHub too may have a URL. Ends the program with 100 if it is none of these. Pure.
 */
export function parseForge(text: string): Forge {
  const colon = text.indexOf(':')
  const kind = FORGE_KINDS.find(word => word === text.slice(0, colon))
  if (kind === undefined && /^https?:\/\//.test(text))
    throw odd(text, `what is at this address? 'gitlab:' before it says GitLab, 'git:' any server`)
  if (kind === undefined)
    throw odd(text, `it does not begin with ${FORGE_KINDS.map(word => `${word}:`).join(' or ')}`)
  const rest = text.slice(colon + 1)
  const place = kind === 'git' ? { kind, server: gitUrl(text, rest), path: '' } : parsePlace(kind, text, rest)
  return OF_KIND[kind](place)
}

const odd = (text: string, why: string) =>
  lasting(
    'read the setting FORGE',
    `${quote(hidden(text))}: ${why}, as in github:OWNER/REPO or gitea:https://HOST/OWNER/REPO`,
  )

/** A password in an address is not repeated. */
const hidden = (text: string) => text.replace(/\/\/[^/@]*@/, '//...@')

function parsePlace(kind: ForgeKind, text: string, rest: string): ForgeAddress {
  const isUrl = /^https?:\/\//.test(rest)
  const usual = USUAL[kind]
  if (!isUrl && usual === undefined) throw odd(text, `${kind}: wants the address of the server`)
  const url = URL.canParse(isUrl ? rest : `${usual}/${rest}`)
    ? new URL(isUrl ? rest : `${usual}/${rest}`)
    : undefined
  if (!url || url.search !== '' || url.hash !== '') throw odd(text, 'it is no address')
  if (url.username !== '' || url.password !== '')
    throw odd(text, 'it holds a password, which is for FORGE_TOKEN_FILE')
  const parts = url.pathname
    .replace(/\/+$/, '')
    .replace(/\.git$/, '')
    .split('/')
    .slice(1)
  // Only a server of one's own may be below a path.
  const isDeep = parts.length > 2 && !isUrl && kind !== 'gitlab'
  if (parts.length < 2 || isDeep || !parts.every(isPathPart))
    throw odd(text, 'it does not end with OWNER/REPO')
  // GitLab's groups nest; elsewhere what stands before the last two is where the server is.
  const split = kind === 'gitlab' ? 0 : parts.length - 2
  const below = parts
    .slice(0, split)
    .map(part => `/${part}`)
    .join('')
  return { kind, server: url.origin + below, path: parts.slice(split).join('/') }
}

const isPathPart = (part: string): boolean => /^[A-Za-z0-9_.-]+$/.test(part) && !/^\.+$/.test(part)

/** A URL or path that git takes; never an option, and no helper that runs a command. */
function gitUrl(text: string, url: string): string {
  const known = /^(?:https?|ssh|git|file):\/\/[^\s]+$/.test(url) || /^(?:[\w.-]+@)?[\w.-]+:[^\s:]+$/.test(url)
  if (!known && !url.startsWith('/')) throw odd(text, 'git: wants a URL, HOST:PATH or an absolute path')
  if (/^https?:\/\/[^/@]*:[^/@]*@/.test(url))
    throw odd(text, 'it holds a password, which is for FORGE_TOKEN_FILE')
  return url
}
