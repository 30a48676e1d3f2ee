// The credential of a project for its forge: a token, or a GitHub App that gets itself tokens of one hour for one repository.

import { createSign } from 'node:crypto'

import { reasonOf } from '../base/errno.ts'
import { lasting } from '../base/exit.ts'
import { optional, setting } from '../base/settings.ts'
import { credentialEnvironment } from '../git/credential.ts'
import { secret } from '../system/secret.ts'
import { Client, ForgeError } from './client.ts'
import type { ForgeAddress } from './forge.ts'
import { field, needNumber, textAt } from './payload.ts'

/** Resolves to the token to call with now. */
export interface Credential {
  (): Promise<string>
  /** Of an app, what its last token may, as `statuses: write`: GitHub's answers show what a person may. */
  readonly granted?: () => unknown
}

/** An app's token is replaced so long before it ends, in milliseconds. */
const EARLY = 300_000

/**
 * The credential of FORGE_TOKEN_FILE, or of FORGE_APP_ID and FORGE_APP_KEY_FILE; undefined where neither is set. Ends the
 * program with 100 if what is set cannot be read.
 */
export function credentialOf(
  place: ForgeAddress,
  env: NodeJS.ProcessEnv = process.env,
): Credential | undefined {
  if (tokenIn(env) !== undefined) return () => Promise.resolve().then(() => tokenNow(env))
  const app = optional('FORGE_APP_ID', env)
  if (app === undefined) return undefined
  if (place.kind !== 'github')
    throw lasting('read the setting FORGE_APP_ID', 'only GitHub has apps; set FORGE_TOKEN_FILE')
  setting('FORGE_APP_KEY_FILE', env)
  const key = secret('FORGE_APP_KEY', env) ?? ''
  // Git and the API, project by project, get the same token for as long as it is good.
  const which = [githubApi(place), place.path, app, key].join('\n')
  const known = apps.get(which) ?? appTokens(place, app, key)
  apps.set(which, known)
  return known
}

/** The token of the settings; undefined where none is set. Throws Fatal if its file holds none. */
function tokenIn(env: NodeJS.ProcessEnv): string | undefined {
  const token = secret('FORGE_TOKEN', env)
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token))
    throw lasting('read the setting FORGE_TOKEN_FILE', 'its file holds no token')
  return token
}

/** The same for each call: a token that is replaced counts at once, and a file that is being replaced is waited for. */
function tokenNow(env: NodeJS.ProcessEnv): string {
  try {
    return tokenIn(env) ?? ''
  } catch (error) {
    throw new ForgeError(reasonOf(error), 0, true)
  }
}

/** The API of GitHub: its own address, or below the Enterprise Server's. */
export const githubApi = ({ server }: ForgeAddress): string =>
  server === 'https://github.com' ? 'https://api.github.com' : `${server}/api/v3`

const apps = new Map<string, Credential>()

function appTokens(place: ForgeAddress, app: string, key: string): Credential {
  const client = new Client(githubApi(place), () =>
    Promise.resolve({ Authorization: `Bearer ${appJwt(app, key)}` }),
  )
  let kept: { readonly token: string; readonly until: number; readonly granted: unknown } | undefined
  const credential = async () => {
    if (kept && Date.now() < kept.until - EARLY) return kept.token
    const installation = await client.get(`/repos/${place.path}/installation`)
    const { body } = await client.post(
      `/app/installations/${needNumber(installation.body, 'id')}/access_tokens`,
      {
        repositories: [place.path.split('/')[1]],
      },
    )
    // Not cut to any length: such tokens have grown before.
    const token = (body as { token?: unknown }).token
    if (typeof token !== 'string' || token === '') throw new ForgeError('it gave no token', 201, true)
    const until = Date.parse(textAt(body, 'expires_at'))
    kept = { token, until: Number.isNaN(until) ? 0 : until, granted: field(body, 'permissions') }
    return token
  }
  return Object.assign(credential, { granted: () => kept?.granted })
}

/** The signed token with which an app identifies itself for the next minutes. */
function appJwt(app: string, key: string): string {
  const now = Math.floor(Date.now() / 1000)
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  // A minute ago, for clocks that differ; ten minutes is the most that GitHub takes.
  const head = `${part({ alg: 'RS256', typ: 'JWT' })}.${part({ iat: now - 60, exp: now + 480, iss: app })}`
  try {
    return `${head}.${createSign('RSA-SHA256').update(head).sign(key, 'base64url')}`
  } catch {
    throw lasting('sign as the GitHub App of FORGE_APP_ID', 'FORGE_APP_KEY_FILE holds no private key')
  }
}

/** The environment in which git gets a token for the forge. */
export const tokenEnvironment = ({ server, kind }: ForgeAddress, token: string): Record<string, string> =>
  credentialEnvironment(new URL(server).origin, kind === 'github' ? 'x-access-token' : 'oauth2', token)
