// The addresses of the server: webhooks, runners, and git.

import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'

import { isSameSecret } from '../../../lib/base/same.ts'
import { BodyReader, Unread } from '../../../lib/forge/body.ts'
import { DELIVERY_MAX, field, isSignature } from '../../../lib/forge/payload.ts'
import { isCommitId } from '../../../lib/git/commit-id.ts'
import { warn } from '../../../lib/system/log.ts'
import type { GivenJob, Desk } from './desk.ts'
import { isDoor, serveDoor } from './door.ts'
import type { Door } from './door.ts'

/** A poll is a few words. */
const POLL_MAX = 64 * 1024

/** Spans of time, in milliseconds. */
export interface AppTimes {
  /** How long the body of a webhook or a poll may take. */
  readonly body: number
  /** A connection on which nothing moves for so long is closed, also one of git. */
  readonly idle: number
}

export const APP_TIMES: AppTimes = { body: 60_000, idle: 600_000 }

export interface AppSettings {
  readonly webhookSecret: string
  readonly runnerSecret: string
  /** The address of a job's repository, with its credential inside; `host` is how the runner calls us. */
  readonly cloneUrl: (given: GivenJob, host: string) => string
  readonly times: AppTimes
}

/** A status, and what is answered as JSON. */
type Reply = readonly [status: number, body: object]

/** The server. What git sends may take any time as long as it moves: a job's results over a slow line too. */
export function makeServer(desk: Desk, door: Door | undefined, settings: AppSettings): Server {
  const bodies = new BodyReader(settings.times.body)
  const server = createServer({ requestTimeout: 0 }, (request, response) => {
    const path = (request.url ?? '/').split('?', 1)[0]!
    const served =
      door && isDoor(path)
        ? serveDoor(door, request, response)
        : replyTo(desk, settings, path, request, bodies).then(reply => send(response, reply))
    served.catch((error: unknown) => {
      if (error instanceof Unread) {
        send(response, [error.status, { error: error.message }], error.headers)
        return
      }
      warn('answer', request.url ?? '', error)
      if (response.headersSent) response.destroy()
      else send(response, [502, { error: 'it failed; the log of the server says why' }])
    })
  })
  return server.setTimeout(settings.times.idle)
}

async function replyTo(
  desk: Desk,
  settings: AppSettings,
  path: string,
  request: IncomingMessage,
  bodies: BodyReader,
): Promise<Reply> {
  if (path !== '/webhook' && path !== '/poll') return [404, { error: 'no such address' }]
  if (request.method !== 'POST') return [405, { error: 'POST alone' }]
  const body = await bodies.read(request, path === '/webhook' ? DELIVERY_MAX : POLL_MAX)
  return path === '/webhook' ? webhook(desk, settings, request, body) : poll(desk, settings, request, body)
}

function webhook(
  desk: Desk,
  { webhookSecret }: AppSettings,
  { headers }: IncomingMessage,
  body: Buffer,
): Reply {
  const header = (name: string) => (typeof headers[name] === 'string' ? headers[name] : undefined)
  const signature =
    header('x-gitea-signature') ??
    header('x-forgejo-signature') ??
    header('x-hub-signature-256')?.replace(/^sha256=/, '')
  if (!isSignature(signature, body, webhookSecret)) return [400, { error: 'the signature is wrong' }]
  const event = header('x-gitea-event') ?? header('x-forgejo-event') ?? header('x-github-event') ?? ''
  const wish = readPush(event, body)
  if (typeof wish === 'string') return [200, { ignored: wish }]
  const job = desk.jobs.add(wish.owner, wish.repo, wish.commit)
  // Its status is on its way when the answer is.
  desk.wake()
  return [200, job ? { queued: job.id } : { ignored: 'this commit is queued or running already' }]
}

/** The commit that a push asks to test, or why it asks for none. Pure. */
function readPush(
  event: string,
  body: Buffer,
): string | { readonly owner: string; readonly repo: string; readonly commit: string } {
  if (event !== 'push') return `not a push but '${event.slice(0, 100)}'`
  let payload: unknown
  try {
    payload = JSON.parse(body.toString())
  } catch {
    return 'it is not JSON'
  }
  const text = (path: string) => {
    const value = field(payload, path)
    return typeof value === 'string' ? value : ''
  }
  if (!text('ref').startsWith('refs/heads/')) return 'not a branch'
  const commit = text('after')
  if (/^0+$/.test(commit)) return 'a branch was deleted'
  const owner = text('repository.owner.login') || text('repository.owner.username')
  const repo = text('repository.name')
  if (!isCommitId(commit) || !isName(owner) || !isName(repo)) return 'it names no commit of a repository'
  return { owner, repo, commit }
}

const isName = (text: string): boolean => /^[A-Za-z0-9_][\w.-]{0,99}$/.test(text) && !text.endsWith('.git')

async function poll(
  desk: Desk,
  settings: AppSettings,
  request: IncomingMessage,
  body: Buffer,
): Promise<Reply> {
  let asked: unknown
  try {
    asked = JSON.parse(body.toString())
  } catch {
    return [400, { error: 'the body is not JSON' }]
  }
  const [runner, secret] = [field(asked, 'runner_id'), field(asked, 'secret')]
  if (typeof secret !== 'string' || !isSameSecret(secret, settings.runnerSecret))
    return [403, { error: 'the secret is wrong' }]
  if (typeof runner !== 'string' || !/^[\w.-]{1,100}$/.test(runner))
    return [400, { error: 'runner_id is missing, or no name' }]
  const called = request.headers.host ?? ''
  // Where we are not told our address it is made of this.
  if (!URL.canParse(`http://${called}`))
    return [400, { error: 'the header Host is missing, or names no host' }]
  const has = field(asked, 'jobs')
  const given = await desk.poll(runner, isNames(has) ? has : undefined)
  if (given === 'busy') return [429, { error: 'as many jobs run as may' }]
  if (!given) return [200, { job: null }]
  const { id, owner, repo, commit } = given.job
  const clone_url = settings.cloneUrl(given, called)
  return [200, { job: { job_id: id, clone_url, commit_sha: commit, repo_owner: owner, repo_name: repo } }]
}

const isNames = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every(one => typeof one === 'string')

function send(
  response: ServerResponse,
  [status, body]: Reply,
  headers: Readonly<Record<string, string>> = {},
): void {
  if (status === 405) response.setHeader('Allow', 'POST')
  if (status === 429) response.setHeader('Retry-After', '5')
  // Of a body that is not wanted, no more is read.
  if (!response.req.complete) response.setHeader('Connection', 'close')
  response.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store', ...headers })
  response.end(`${JSON.stringify(body)}\n`)
}
