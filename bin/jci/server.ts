// git jci server: pushes to a Gitea or Forgejo become jobs for runners, and what came of them becomes commit statuses.

import type { Server } from 'node:http'
import { join } from 'node:path'

import { reasonOf } from '../../lib/base/errno.ts'
import { lasting, quote, temporary } from '../../lib/base/exit.ts'
import { choice, count, duration, listenAt, optional, setting } from '../../lib/base/settings.ts'
import type { Listening } from '../../lib/base/settings.ts'
import { command } from '../../lib/system/command.ts'
import { makeDirectories } from '../../lib/system/directories.ts'
import { say } from '../../lib/system/log.ts'
import { stopSignal } from '../../lib/system/stop-signal.ts'
import { OURS } from './ours.ts'
import { takeLock } from './parts/lock.ts'
import { APP_TIMES, makeServer } from './server/app.ts'
import type { AppTimes } from './server/app.ts'
import { StatusCourier } from './server/courier.ts'
import { checkPassword, makePassword, readKey, TokenNames } from './server/credential.ts'
import { Desk, DESK_TIMES } from './server/desk.ts'
import type { GivenJob, Times } from './server/desk.ts'
import { ForgeClient } from './server/forge.ts'
import { Jobs } from './server/jobs.ts'
import { Results } from './server/results.ts'
import { Runners } from './server/runners.ts'
import { SERVER_NEEDS, SERVER_SETTINGS } from './settings.ts'

export const verb = command(
  {
    name: 'git-jci server',
    usage: '',
    operands: [0, 0],
    about: `Takes webhooks of a Gitea or Forgejo, gives jobs to runners, and tells the forge what came of them.

It answers POST /webhook and POST /poll, and is the git server of its jobs: a job gets a password with which it can fetch
its repository and push runs of its commit, nothing else, and that is dead when the job is over.`,
    environment: SERVER_SETTINGS,
    ...OURS,
  },
  () => serve({ ...DESK_TIMES, ...APP_TIMES }),
)

const WIDE_TOKEN =
  'JCI_CREDENTIAL=token: a job gets a token of all repositories of GITEA_USER, which does not expire by itself'

/** Serves until it is told to stop. */
export async function serve(times: Times & AppTimes): Promise<void> {
  const missing = Object.keys(SERVER_NEEDS).filter(name => optional(name) === undefined)
  if (missing.length > 0) throw lasting('start', `these are not set: ${missing.join(', ')}`)
  const address = forgeAddress()
  const forge = openForge(address)
  const credential = choice('JCI_CREDENTIAL', ['proxy', 'token'])
  const timeout = duration('JCI_JOB_TIMEOUT')
  const place = listenAt('JCI_LISTEN')
  const gitUrl = addressOf('JCI_GIT_URL')
  const directory = setting('JCI_DB')
  makeDirectories(directory, 0o700)
  // Nobody sits there whom git could ask for a password; and what a job stores that is large stays where it is.
  Object.assign(process.env, { GIT_TERMINAL_PROMPT: '0', GIT_NO_LAZY_FETCH: '1' })
  const stop = new AbortController()
  const unlock = await takeLock(directory, 'server', () => stop.abort())
  const jobs = new Jobs(join(directory, 'jobs'))
  const key = readKey(join(directory, 'key'))
  const tokenNames = new TokenNames(key)
  await tryToken(forge, jobs, tokenNames)
  if (credential === 'token') say('warning', WIDE_TOKEN)
  const courier = new StatusCourier(jobs, forge, stop.signal)
  const results = new Results(join(directory, 'results'), forge, stop.signal)
  const door = {
    forge: address,
    basic: forge.basic,
    check: (password: string) => {
      const statement = checkPassword(key, password)
      // Also while its time is not over, it is dead when its job is, or is given to another.
      return statement && jobs.isAt(statement.job, statement.attempt) ? statement : undefined
    },
    pushing: [] as string[],
    pushed: (job: string, changes: boolean): void => desk.pushed(job, changes),
  }
  const desk = new Desk(jobs, forge, results, new Runners(times.lost), {
    maxJobs: count('JCI_MAX_JOBS'),
    timeout,
    tokenNames: credential === 'token' ? tokenNames : undefined,
    times,
    isPushing: job => door.pushing.includes(job.id),
    changed: () => courier.wake(),
  })
  const cloneUrl = addressesForJobs(forge, gitUrl, timeout, key)
  const secrets = { webhookSecret: setting('GITEA_WEBHOOK_SECRET'), runnerSecret: setting('RUNNER_SECRET') }
  const server = makeServer(desk, credential === 'proxy' ? door : undefined, { ...secrets, cloneUrl, times })
  const over = stopSignal(stop.signal)
  await listen(server, place)
  const timer = setInterval(() => void desk.settle(), times.tick)
  courier.wake()
  await over
  clearInterval(timer)
  stop.abort()
  server.closeAllConnections()
  server.close()
  await unlock()
}

/** Returns what says from where a job fetches, and to where it pushes: from us, with its password, or from the forge with its token. */
function addressesForJobs(forge: ForgeClient, gitUrl: string | undefined, timeout: number, key: string) {
  return ({ job, token }: GivenJob, called: string): string => {
    if (token !== undefined) return forge.urlWith(job, token)
    const { id, tries, owner, repo, commit } = job
    const expires = job.assignedAt! + timeout
    const url = new URL(gitUrl ?? `http://${called}`)
    url.pathname = `${url.pathname.replace(/\/+$/, '')}/${owner}/${repo}.git`
    url.username = 'jci'
    url.password = makePassword(key, { job: id, attempt: tries, owner, repo, commit, expires })
    return url.href
  }
}

function forgeAddress(): string {
  const host = setting('GITEA_HOST').replace(/\/+$/, '')
  return /^https?:\/\//.test(host) ? host : `https://${host}`
}

const openForge = (address: string) =>
  new ForgeClient({
    address,
    user: setting('GITEA_USER'),
    token: setting('GITEA_TOKEN'),
    web: addressOf('JCI_WEB_URL'),
  })

/** An address without a slash at its end, in which the names of a repository may be left open; undefined if it is not set. */
function addressOf(name: 'JCI_WEB_URL' | 'JCI_GIT_URL'): string | undefined {
  const text = optional(name)
  if (text === undefined) return undefined
  const filled = name === 'JCI_WEB_URL' ? text.replaceAll(/\{(?:owner|repo)\}/g, 'x') : text
  if (!/^https?:\/\//.test(filled) || !URL.canParse(filled))
    throw lasting(`read the setting ${name}`, `${quote(text)} is no address such as https://ci.example.org`)
  return text.replace(/\/+$/, '')
}

/** Makes and deletes a token, and deletes what is left of jobs that are over. */
async function tryToken(forge: ForgeClient, jobs: Jobs, names: TokenNames): Promise<void> {
  const name = names.draw('check')
  try {
    await forge.createToken(name)
    await forge.deleteToken(name)
    const inUse = jobs.assigned().map(job => job.token)
    const left = (await forge.tokenNames()).filter(name => names.isOurs(name) && !inUse.includes(name))
    for (const name of left) await forge.deleteToken(name)
  } catch (error) {
    const hint = 'check GITEA_HOST, and make a GITEA_TOKEN of GITEA_USER with write:repository and write:user'
    throw lasting('make and delete a token on the forge', `${reasonOf(error)}; ${hint}`)
  }
}

async function listen(server: Server, { host, port }: Listening): Promise<void> {
  await new Promise<void>((done, failed) => {
    server.once('error', error => failed(temporary(`listen on ${quote(setting('JCI_LISTEN'))}`, error)))
    server.listen(port, host, done)
  })
  const bound = server.address()
  say('info', `listening on port ${typeof bound === 'object' && bound ? bound.port : port}`)
}
