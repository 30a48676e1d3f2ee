// A project whose code is on a forge: its settings file, the secret of its webhook, the mirror of its code, and the
// webhook itself.

import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { git } from '../../lib/git/process.ts'
import { lasting, quote, temporary } from '../../lib/base/exit.ts'
import { address } from '../../lib/base/settings.ts'
import { shellQuote } from '../../lib/base/shell-quote.ts'
import { settingsOfProject } from '../../lib/conf/sourced.ts'
import { ForgeError } from '../../lib/forge/client.ts'
import type { Forge } from '../../lib/forge/forge.ts'
import { openApi } from '../../lib/forge/open.ts'
import type { Spool } from '../../lib/spool/spool.ts'
import { makeDirectoryWithMode, makeFile } from './make.ts'
import { mustAgree } from './project.ts'

export interface NewForgeProject {
  readonly name: string
  readonly forge: Forge
  /** FORGE as it was given. */
  readonly text: string
  readonly steps: string | undefined
  readonly archs: readonly string[]
}

const mirrorOf = (spool: Spool, name: string) => join(spool.root, 'mirrors', `${name}.git`)
const fileOf = (spool: Spool, name: string, file: string) => join(spool.root, 'conf', name, file)

/** Makes what is missing of a project. Throws a lasting error if it is set up already and of something else. */
export function addForgeProject(spool: Spool, project: NewForgeProject): void {
  const { name } = project
  mustAgree(spool, name, { FORGE: project.text, PROJ: mirrorOf(spool, name), STEPS: project.steps })
  makeDirectoryWithMode(join(spool.revs, name))
  makeDirectoryWithMode(join(spool.root, 'conf', name), 0o755, 0)
  makeDirectoryWithMode(join(spool.root, 'mirrors'))
  const mirror = mirrorOf(spool, name)
  if (!existsSync(join(mirror, 'HEAD'))) git(spool.root, 'init', '-q', '--bare', mirror)
  makeFile(fileOf(spool, name, 'rc'), settingsOf(project))
  if (hasWebhooks(project.forge))
    makeFile(fileOf(spool, name, 'forge.secret'), `${randomBytes(32).toString('hex')}\n`, 0o600)
}

/** A server that is only git has none. */
const hasWebhooks = ({ place }: Forge) => place.kind !== 'git'

// As in project.ts, the spool is where this file is.
const settingsOf = ({ name, text, forge, steps, archs }: NewForgeProject) => {
  const [secret, orApp, app] = hasWebhooks(forge)
    ? [secretOf(name), '; or a GitHub App', appOf(name)]
    : ['', '', '']
  return `# shellcheck shell=sh disable=SC2034
# The settings of the project ${name}; ../rc has those of the spool.
: "\${SPOOL:=\${BASS_RC%/conf/*/rc}}"
. "\${BASS_RC%/*/*}/rc"

PROJECT=${name}

# The repository on the forge, the mirror of it, and the steps; without STEPS they are in the code, in .bass/.
FORGE=${shellQuote(text)}
PROJ=$SPOOL/mirrors/${name}.git
${steps === undefined ? '#STEPS=' : `STEPS=${shellQuote(steps)}`}

${secret}# The token by which it is asked${orApp}.
if [ -f "$SPOOL/conf/${name}/forge.token" ]; then FORGE_TOKEN_FILE=$SPOOL/conf/${name}/forge.token; fi
${app}
# One task for each of these: ARCH, or ARCH:HOST.
ARCHS=${shellQuote(archs.join(' '))}
`
}

const secretOf = (name: string) => `# What the forge's webhook is signed with.
FORGE_SECRET_FILE=$SPOOL/conf/${name}/forge.secret

`

const appOf = (name: string) => `#FORGE_APP_ID=
#FORGE_APP_KEY_FILE=$SPOOL/conf/${name}/forge.key
`

/** Where the forge is to send its deliveries; undefined without REPORTER_URL. */
function hookUrl(name: string, env: NodeJS.ProcessEnv): string | undefined {
  const pages = address('REPORTER_URL', env)
  return pages === undefined ? undefined : `${pages}/hooks/${name}`
}

/** Registers the webhook on the forge, unless it is there. Returns what became of it. */
export async function registerHook(spool: Spool, { name, forge }: NewForgeProject): Promise<string> {
  const env = settingsOfProject(process.env, fileOf(spool, name, 'rc'))
  const stop = (why: string) => lasting(`register the webhook of ${quote(name)}`, why)
  const url = hookUrl(name, env)
  if (url === undefined)
    throw stop(
      `REPORTER_URL, where the forge can reach the reporter, is not set in ${join(spool.root, 'conf/rc')}`,
    )
  const api = openApi(forge, env)
  if (api === undefined) throw stop(tokenMissing(spool, name, forge))
  try {
    if ((await api.hooks()).some(hook => hook.url === url))
      return `# the forge has the webhook ${url} already`
    await api.addHook(url, readFileSync(fileOf(spool, name, 'forge.secret'), 'utf8').trim())
    return `# the forge now sends to ${url}`
  } catch (error) {
    if (!(error instanceof ForgeError)) throw error
    const attempt = `register the webhook of ${quote(name)} at ${quote(forge.cloneUrl)}`
    throw error.later
      ? temporary(attempt, error)
      : lasting(attempt, `${error.message}; may the token administer webhooks?`)
  }
}

const tokenMissing = (spool: Spool, name: string, forge: Forge) =>
  !hasWebhooks(forge) ? 'a git server has none' : `there is no token in ${fileOf(spool, name, 'forge.token')}`

/** The next steps of a person: commands and, after `#`, what to set on the forge. */
export function forgeSteps(spool: Spool, { name, forge }: NewForgeProject, registered: boolean): string[] {
  if (!hasWebhooks(forge)) return []
  const token = fileOf(spool, name, 'forge.token')
  const paste = existsSync(token)
    ? []
    : [`(umask 077; cat >${shellQuote(token)})  # paste a token, then Ctrl-D`]
  const url = hookUrl(name, process.env) ?? `https://THIS-HOST/hooks/${name}`
  const hook = [
    `# on ${forge.page ?? ''}, add a webhook: ${url}`,
    '# JSON; pushes and pull or merge requests; with the secret that this prints:',
    `cat ${shellQuote(fileOf(spool, name, 'forge.secret'))}`,
  ]
  return [...paste, ...(registered ? [] : hook)]
}
