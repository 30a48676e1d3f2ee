// The git door: smart HTTP for one job. A password lets its holder fetch one repository, and push runs of one commit
// there and nothing else. What goes through is streamed; the forge's token never leaves this process.

import { request as httpRequest } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { pipeline } from 'node:stream/promises'

import { isRunId, RUNS } from '../../../lib/jci/run-ref.ts'
import type { Statement } from './credential.ts'

/** `.` and `..` name no owner: an address is read as it was sent. */
const PATH = /^\/(?!\.\.?\/)([\w.-]+)\/([\w.-]+)\.git\/(info\/refs|git-upload-pack|git-receive-pack)$/

/** Most bytes of the list of refs that a push begins with. */
const COMMANDS_MAX = 1 << 20

export interface Door {
  /** The rights that the password gives; undefined if it is none, or its job is over. */
  readonly check: (password: string) => Statement | undefined
  /** The address of the forge, and the header by which it lets us in. */
  readonly forge: string
  readonly basic: string
  /** The jobs whose pushes are on their way to the forge, each as often as it has one. */
  readonly pushing: string[]
  /** Called when the forge has a push of a job; `changes` if it was to change a ref that was there. */
  readonly pushed: (job: string, changes: boolean) => void
}

/** True if the path is one of the door. */
export const isDoor = (path: string): boolean => PATH.test(path)

/** Returns a request of git. */
export async function serveDoor(
  door: Door,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://door')
  const password = passwordOf(request.headers.authorization)
  const statement = door.check(password)
  const refusal = refusalOf(statement, request, url)
  if (!statement || refusal) {
    const [status, why] = refusal ?? [401, 'no password']
    if (status === 401) response.setHeader('WWW-Authenticate', 'Basic realm="git jci"')
    refuse(response, status, why)
    return
  }
  if (!url.pathname.endsWith('/git-receive-pack')) {
    const service = url.searchParams.get('service')
    await forward(door, request, response, url.pathname + (service === null ? '' : `?service=${service}`))
    return
  }
  const head = await readHead(request)
  const commands = head && parseCommands(head)
  const why = commands ? whyNot(commands, statement) : 'no list of refs'
  if (!commands || why !== undefined) refuse(response, 403, why ?? '')
  // The job may have been taken away while the list came.
  else if (!door.check(password)) refuse(response, 401, 'a password that is over')
  else await push(door, statement, commands, () => forward(door, request, response, url.pathname, head))
}

/** Passes a push on, and says that it is on its way and that it has been. */
async function push(
  { pushing, pushed }: Door,
  { job }: Statement,
  commands: readonly PushCommand[],
  forwarding: () => Promise<void>,
): Promise<void> {
  const changes = commands.some(({ old }) => !isZero(old))
  pushing.push(job)
  try {
    await forwarding()
  } finally {
    pushing.splice(pushing.indexOf(job), 1)
    pushed(job, changes)
  }
}

/** The status and the reason of a refusal that shows before a body is read; undefined if there is none. */
function refusalOf(
  statement: Statement | undefined,
  { method, headers }: IncomingMessage,
  url: URL,
): readonly [number, string] | undefined {
  const [, owner, repo, what] = PATH.exec(url.pathname)!
  if (!statement) return [401, 'no password, or one that is over']
  if (statement.owner !== owner || statement.repo !== repo) return [403, 'another repository']
  const service = url.searchParams.get('service')
  if (what === 'info/refs') {
    if (method !== 'GET') return [405, 'GET alone']
    return service === 'git-upload-pack' || service === 'git-receive-pack'
      ? undefined
      : [403, 'smart HTTP alone']
  }
  if (method !== 'POST') return [405, 'POST alone']
  if (service !== null) return [403, 'no query']
  return what === 'git-receive-pack' && headers['content-encoding']
    ? [415, 'a push is not compressed']
    : undefined
}

function passwordOf(authorization: string | undefined): string {
  const [, basic = ''] = /^Basic ([A-Za-z0-9+/=]+)$/i.exec(authorization ?? '') ?? []
  const text = Buffer.from(basic, 'base64').toString()
  return text.slice(text.indexOf(':') + 1)
}

function refuse(response: ServerResponse, status: number, why: string): void {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', Connection: 'close' })
  response.end(`${why}\n`)
}

/** Reads as far as the flush packet behind the list of refs; undefined if there is none within reason. */
async function readHead(request: IncomingMessage): Promise<Buffer | undefined> {
  let bytes = Buffer.alloc(0)
  request.pause()
  for (;;) {
    if (endOfCommands(bytes) !== undefined) return bytes
    if (bytes.length > COMMANDS_MAX) return undefined
    const chunk = await nextChunk(request)
    if (!chunk) return undefined
    bytes = Buffer.concat([bytes, chunk])
  }
}

/** The next bytes of a stream that stays paused; undefined at its end. */
function nextChunk(request: IncomingMessage): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    const settle = (action: () => void) => {
      request.off('readable', onReadable).off('end', onEnd).off('error', onError).off('close', onEnd)
      action()
    }
    const onReadable = () => {
      const chunk = request.read() as Buffer | null
      if (chunk) settle(() => resolve(chunk))
    }
    const onEnd = () => settle(() => resolve(undefined))
    const onError = (error: Error) => settle(() => reject(error))
    request.on('readable', onReadable).on('end', onEnd).on('error', onError).on('close', onEnd)
    onReadable()
  })
}

/** Where the flush packet behind the first packets ends; undefined if it is not there yet, -1 if these are no packets. */
function endOfCommands(bytes: Buffer): number | undefined {
  for (let at = 0; at + 4 <= bytes.length;) {
    const text = bytes.toString('latin1', at, at + 4)
    if (!/^[0-9a-f]{4}$/.test(text)) return -1
    const length = parseInt(text, 16)
    if (length === 0) return at + 4
    if (length < 5) return -1
    at += length
  }
  return undefined
}

/** A line of the list of refs that a push begins with: what it is to change, or anything else. */
interface PushCommand {
  readonly line: string
  readonly capabilities: string
  /** What the ref is now, and what it is to become, as far as the line says so: of zeros where there is nothing. */
  readonly old: string
  readonly now: string
  readonly ref: string
}

/** Reads the list of refs; undefined if it is none. Pure. */
export function parseCommands(head: Buffer): PushCommand[] | undefined {
  const end = endOfCommands(head)
  if (end === undefined || end < 0) return undefined
  const commands: PushCommand[] = []
  for (let at = 0; at < end - 4;) {
    const length = parseInt(head.toString('latin1', at, at + 4), 16)
    const text = head.toString('utf8', at + 4, at + length).replace(/\n$/, '')
    const [line = '', capabilities = ''] = text.split('\0')
    const [, old = '', now = '', ref = ''] = /^([0-9a-f]{40,64}) ([0-9a-f]{40,64}) (.+)$/s.exec(line) ?? []
    commands.push({ line, capabilities, old, now, ref })
    at += length
  }
  return commands
}

/** True for what stands where there is no object. */
const isZero = (id: string) => /^0*$/.test(id)

/** Why a push may not be; undefined if it may. Pure. */
export function whyNot(
  commands: readonly PushCommand[],
  { commit }: Pick<Statement, 'commit'>,
): string | undefined {
  const prefix = `${RUNS}${commit}/`
  for (const { line, capabilities, now, ref } of commands) {
    if (/^shallow [0-9a-f]+$/.test(line)) continue
    // They tell the forge to change more than refs.
    if (/(?:^| )push-options(?: |$)/.test(capabilities)) return 'push options are not for jobs'
    if (!ref.startsWith(prefix) || !isRunId(ref.slice(prefix.length)))
      return `a job of ${commit} may push nothing but ${prefix}*`
    if (isZero(now)) return 'a job removes no runs'
  }
  return undefined
}

const PASSED = [
  'content-type',
  'content-encoding',
  'content-length',
  'transfer-encoding',
  'accept',
  'git-protocol',
  'user-agent',
]

/** Hands the request to the forge, and its answer back, as they come. */
function forward(
  { forge, basic }: Door,
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
  head?: Buffer,
): Promise<void> {
  const url = new URL(forge + path)
  const headers = Object.fromEntries(
    PASSED.flatMap(name => (request.headers[name] ? [[name, request.headers[name]]] : [])),
  )
  return new Promise((resolve, reject) => {
    const start = url.protocol === 'https:' ? httpsRequest : httpRequest
    const upstream = start(
      url,
      { method: request.method, headers: { ...headers, authorization: basic } },
      answer => {
        const passed = ['content-type', 'content-encoding', 'content-length'].flatMap(name =>
          answer.headers[name] ? [[name, answer.headers[name]]] : [],
        )
        // A redirection would take the job there without us.
        const status = answer.statusCode ?? 502
        response.writeHead(
          status >= 300 && status < 400 ? 502 : status,
          Object.fromEntries(passed) as Record<string, string>,
        )
        pipeline(answer, response).then(resolve, reject)
      },
    )
    upstream.on('error', reject)
    response.on('close', () => upstream.destroy())
    if (head) upstream.write(head)
    if (request.method === 'GET') upstream.end()
    else pipeline(request, upstream).catch(reject)
  })
}
