// The forges of the projects: whether each is reached, what its token may and when it ends, whether it has the webhook,
// its clock, and the mirror of the code.

import { existsSync } from 'node:fs'
import { join } from 'node:path'

import { reasonOf } from '../../lib/base/errno.ts'
import { Fatal } from '../../lib/base/exit.ts'
import { address, optional } from '../../lib/base/settings.ts'
import { shellQuote } from '../../lib/base/shell-quote.ts'
import type { ForgeApi, TokenFacts } from '../../lib/forge/api.ts'
import { ForgeError } from '../../lib/forge/client.ts'
import type { Forge } from '../../lib/forge/forge.ts'
import { openApi } from '../../lib/forge/open.ts'
import { forgeOf, repositoryKey } from '../../lib/forge/parse-forge.ts'
import { fine, wrong } from './finding.ts'
import type { Finding } from './finding.ts'
import type { ProjectFile } from './settings-files.ts'

const DAY = 86_400_000
/** How early it is said that a token ends, and how far two clocks may differ: signatures of apps are good for minutes. */
const SOON = 14 * DAY
const CLOCK = 60_000

export async function checkForges(projects: readonly ProjectFile[]): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const { name, rc, env } of projects) {
    try {
      const forge = forgeOf(env)
      if (forge) findings.push(...(await checkForge(name, forge, env, rc)))
      if (forge) findings.push(...checkShared(name, forge, projects))
    } catch (error) {
      if (!(error instanceof Fatal)) throw error
      findings.push(wrong('forge', name, error.message, `change it in ${rc}`))
    }
  }
  return findings
}

/** Whether others are on the same repository: their checks stand beside the same commits. */
function checkShared(name: string, forge: Forge, projects: readonly ProjectFile[]): Finding[] {
  const others = projects
    .filter(other => other.name !== name && keyOf(other) === repositoryKey(forge))
    .map(other => other.name)
  if (others.length === 0) return []
  return [
    fine(
      'forge',
      name,
      `${others.join(', ')} ${others.length > 1 ? 'are' : 'is'} on the same repository: each line of a Testfile is the check '${name}: NAME'`,
    ),
  ]
}

function keyOf({ env }: ProjectFile): string | undefined {
  try {
    const forge = forgeOf(env)
    return forge && repositoryKey(forge)
  } catch (error) {
    // It is found by itself.
    if (error instanceof Fatal) return undefined
    throw error
  }
}

async function checkForge(
  name: string,
  forge: Forge,
  env: NodeJS.ProcessEnv,
  rc: string,
): Promise<Finding[]> {
  const mirror = checkMirror(name, env)
  const api = openApi(forge, env)
  if (api === undefined) {
    if (forge.place.kind === 'git') return [mirror]
    const fix = `put a token into a file and set FORGE_TOKEN_FILE in ${rc}`
    return [mirror, wrong('token', name, 'there is none, so the forge shows no checks', fix)]
  }
  try {
    const facts = await api.lookAtToken()
    return [
      mirror,
      checkName(name, forge, facts, rc),
      checkToken(name, facts),
      ...checkClock(name, facts),
      await checkHook(name, api, env),
    ]
  } catch (error) {
    if (!(error instanceof ForgeError)) throw error
    return [mirror, unreached(name, forge, error)]
  }
}

function unreached(name: string, forge: Forge, error: ForgeError): Finding {
  if (error.status === 401) {
    return wrong(
      'token',
      name,
      `the forge refuses it (${error.message}): it has run out or was revoked`,
      'make another one on the forge',
    )
  }
  if (error.status === 404 || error.status === 403) {
    return wrong(
      'token',
      name,
      `it may not read ${forge.cloneUrl} (${error.message})`,
      'give it this repository, or correct FORGE',
    )
  }
  const isUnknown = /certificate/i.test(error.message)
  return wrong(
    'forge',
    name,
    reasonOf(error),
    isUnknown
      ? `for a CA of your own, put into conf/rc: export NODE_EXTRA_CA_CERTS=FILE GIT_SSL_CAINFO=FILE`
      : `see whether ${forge.page ?? forge.cloneUrl} answers on this host`,
  )
}

function checkName(
  name: string,
  { place, cloneUrl }: Forge,
  { repository }: TokenFacts,
  rc: string,
): Finding {
  if (repository === '' || repository.toLowerCase() === place.path.toLowerCase())
    return fine('forge', name, `${cloneUrl} answers`)
  return wrong('forge', name, `${place.path} is called ${repository} now`, `change FORGE in ${rc}`)
}

function checkToken(name: string, { mayPush, ends }: TokenFacts): Finding {
  if (ends !== null && ends < Date.now() + SOON) {
    const text = `it ends on ${new Date(ends).toISOString().slice(0, 10)}`
    return wrong('token', name, text, 'make another one on the forge')
  }
  if (!mayPush)
    return wrong(
      'token',
      name,
      'it may not write, so the forge shows no checks',
      'give it the right to set commit statuses',
    )
  return fine(
    'token',
    name,
    ends === null
      ? 'it may write, and no end of it is known'
      : `it may write until ${new Date(ends).toISOString().slice(0, 10)}`,
  )
}

function checkClock(name: string, { clock }: TokenFacts): Finding[] {
  if (clock === null || Math.abs(clock) <= CLOCK) return []
  return [
    wrong(
      'clock',
      name,
      `the forge's clock and ours differ by ${Math.round(Math.abs(clock) / 1000)} s`,
      'set the clock of this host',
    ),
  ]
}

async function checkHook(name: string, api: ForgeApi, env: NodeJS.ProcessEnv): Promise<Finding> {
  const pages = address('REPORTER_URL', env)
  const path = `/hooks/${name}`
  try {
    const hook = (await api.hooks()).find(({ url }) =>
      pages === undefined ? url.endsWith(path) : url === pages + path,
    )
    if (!hook)
      return wrong(
        'webhook',
        name,
        `the forge has none that ends with ${path}`,
        `bass init ${shellQuote(optional('SPOOL', env) ?? 'DIR')} --project ${name} --forge ${optional('FORGE', env) ?? ''} --register`,
      )
    if (!hook.active)
      return wrong('webhook', name, `${hook.url} is switched off on the forge`, 'switch it on there')
    return fine('webhook', name, `${hook.url}${hook.last === null ? '' : `, last delivery: ${hook.last}`}`)
  } catch (error) {
    // To list them takes more than to set statuses.
    if (error instanceof ForgeError && !error.later)
      return fine('webhook', name, `not seen: the token may not list webhooks (${error.message})`)
    throw error
  }
}

function checkMirror(name: string, env: NodeJS.ProcessEnv): Finding {
  const mirror = optional('PROJ', env)
  if (mirror === undefined) return wrong('mirror', name, 'PROJ is not set', 'set it to a bare repository')
  return existsSync(join(mirror, 'HEAD'))
    ? fine('mirror', name, mirror)
    : wrong('mirror', name, `${mirror} is no bare repository`, `git init --bare ${mirror}`)
}
