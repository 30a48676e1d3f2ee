// The demo of a forge: a webhook is registered, a pull request is opened, and its checks turn green.

import { freePort } from './free-ports.ts'
import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'

import { EXIT, temporary } from '../../lib/base/exit.ts'
import { shellQuote } from '../../lib/base/shell-quote.ts'
import { git } from '../../lib/git/process.ts'
import { CHECKS, makeChange, makeWorkTree } from './forge-code.ts'
import { AUTHOR, DemoForge, DEMO_OWNER } from './forge.ts'
import { SIGNS } from './forge-page.ts'
import type { DemoCheck } from './forge-page.ts'
import { open, tellLine, show, tell } from './stage.ts'
import type { Stage } from './stage.ts'

const BRANCH = 'greet'
const TOKEN_FILE = 'spool/conf/site/forge.token'

/** Returns 0 if all checks became green, else 1. */
export async function playForge(stage: Stage): Promise<number> {
  tellLine(`In ${stage.directory}:\n`)
  const token = randomBytes(20).toString('hex')
  const work = stage.at('work')
  const first = makeWorkTree(work)
  const forge = await DemoForge.open(stage.at('forge'), work, token)
  try {
    const site = `${forge.url}/${DEMO_OWNER}/site`
    tell('forge', `${site}, a stand-in for a Gitea`)
    const port = await freePort()
    const pages = `http://127.0.0.1:${port}`
    // Nothing is looked for: what is seen here comes by the webhook.
    Object.assign(stage.env, {
      JOBTMP: stage.at('jobtmp'),
      REPORTER_LISTEN: `127.0.0.1:${port}`,
      REPORTER_URL: pages,
      FORGE_POLL: '0',
    })
    mkdirSync(stage.at('jobtmp'))
    await setUp(stage, `gitea:${site}`, token)
    tell('webhook', `${pages}/hooks/site`)
    show('bass up spool --web &')
    const takers = Math.min(4, Math.max(2, availableParallelism()))
    return await stage.whileUp(takers, true, async () => {
      tell('pages', await stage.pages())
      open(site)
      tellLine(`\nThe first look at the forge builds main, all of it: ${directories(CHECKS.first)}.`)
      const mainIsGreen = await follow(stage, forge, first, CHECKS.first)
      tellLine(`\nA pull request that touches ${directories(CHECKS.change)} runs what is there alone.`)
      const changeIsGreen = await openChange(stage, forge)
      if (mainIsGreen && changeIsGreen) tellLine(WHAT_NEXT(stage.root))
      await stage.keepOpen()
      return mainIsGreen && changeIsGreen ? EXIT.done : 1
    })
  } finally {
    forge.close()
  }
}

/** Makes the spool and the project, and registers its webhook. */
async function setUp(stage: Stage, address: string, token: string): Promise<void> {
  const init = ['init', 'spool', '--project', 'site', '--forge', address]
  show(`bass ${init.join(' ')}`)
  await stage.bass(...init)
  show(`cat >${TOKEN_FILE}`, '# a token of the forge')
  writeFileSync(stage.at(TOKEN_FILE), `${token}\n`, { mode: 0o600 })
  show('bass init ... --register')
  const code = await stage.bass(...init, '--register')
  if (code !== EXIT.done) throw temporary('register the webhook', `bass init ended with ${code}`)
}

/** Opens the pull request; true if all its checks became green. */
async function openChange(stage: Stage, forge: DemoForge): Promise<boolean> {
  const work = stage.at('work')
  const head = makeChange(work, BRANCH)
  show(`git push forge/${AUTHOR}/site.git ${BRANCH}`, `# then ${AUTHOR} opens a pull request`)
  git(work, 'push', '-q', forge.repository(AUTHOR), BRANCH)
  const opened = performance.now()
  const green = follow(stage, forge, head, CHECKS.change)
  for (const told of await forge.openChange(BRANCH)) tell('delivery', told)
  tell('change', `${forge.url}/${DEMO_OWNER}/site/pulls/1`)
  if (!(await green)) return false
  const seconds = ((performance.now() - opened) / 1000).toFixed(1)
  tell('verdict', `${CHECKS.change.length} checks are green, ${seconds} s after the pull request was opened`)
  return true
}

/** Prints what the forge is told of a commit, until all its checks are over; true if all are green. */
async function follow(
  stage: Stage,
  forge: DemoForge,
  commit: string,
  checks: readonly string[],
): Promise<boolean> {
  const began = performance.now()
  const width = Math.max(...checks.map(({ length }) => length))
  forge.onStatus = (sha, { context, state, description }) => {
    if (sha !== commit) return
    const seconds = ((performance.now() - began) / 1000).toFixed(1).padStart(5)
    tellLine(`${seconds} s  ${coloured(state, SIGNS[state] ?? '·')} ${context.padEnd(width)}  ${description}`)
  }
  const over = () => {
    const told = forge.checksOf(commit).filter(({ state }) => state !== 'pending')
    return checks.every(name => told.some(({ context }) => context === name)) ? told : undefined
  }
  const told: DemoCheck[] = await stage.eventually('see the checks', over)
  return told.every(({ state }) => state === 'success')
}

function coloured(state: string, sign: string): string {
  if (!process.stdout.isTTY || process.env['NO_COLOR']) return sign
  return `\x1b[${state === 'pending' ? 33 : state === 'success' ? 32 : 31}m${sign}\x1b[0m`
}

/** The directories of some checks: `api, docs and web`. */
function directories(checks: readonly string[]): string {
  const names = [...new Set(checks.map(check => `${check.split(' ')[0]}/`))]
  return `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`
}

const WHAT_NEXT = (root: string) => `
What to type next, for a repository of your own on GitHub, Gitea, Forgejo or GitLab:

  PATH=$PATH:${shellQuote(root)}/bin
  bass init /srv/bass --project site --forge github:OWNER/REPO
  bass up /srv/bass --web

and put lines 'NAME: COMMAND' into a file Testfile of any directory.`
