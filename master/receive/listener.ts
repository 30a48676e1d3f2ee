// POST /hooks/PROJECT: takes deliveries of forges. One is checked against the project's secret before anything in it is read,
// and durable before it is answered; no call is made meanwhile.

import { createHash } from 'node:crypto'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'

import { reasonOf } from '../../lib/base/errno.ts'
import { Fatal } from '../../lib/base/exit.ts'
import { BodyReader, Unread } from '../../lib/forge/body.ts'
import { BadDelivery } from '../../lib/forge/forge.ts'
import type { Forge, Wish } from '../../lib/forge/forge.ts'
import { isDeliveryId } from './inbox.ts'
import type { Spool } from '../../lib/spool/spool.ts'
import { say, warn } from '../../lib/system/log.ts'
import { formatDelivery } from './delivery.ts'
import { Store } from './store.ts'

/** The settings of a project by which a delivery is judged. */
export interface Receiving {
  readonly forge: Forge
  readonly secret: string
}

interface Answer {
  readonly status: number
  readonly text: string
  readonly headers?: Record<string, string>
}

const HOOKS = '/hooks/'

/** True if a request is one for `hooksListener`. */
export const isForHooks = ({ url }: IncomingMessage): boolean => url?.startsWith(HOOKS) === true

/** `find` answers what is known of a project; undefined if it is not there, or has no forge or secret. */
export function hooksListener(
  spool: Spool,
  find: (project: string) => Receiving | undefined,
): RequestListener {
  const [store, reader] = [new Store(spool), new BodyReader()]
  const answer = async (request: IncomingMessage): Promise<Answer> => {
    try {
      const project = projectOf(request)
      if (project === undefined) return { status: 404, text: 'not here' }
      if (request.method !== 'POST')
        return {
          status: 405,
          text: 'deliveries of a forge are sent here, by POST',
          headers: { Allow: 'POST' },
        }
      const receiving = find(project)
      if (!receiving) return { status: 404, text: 'not here' }
      return await receive(store, project, receiving, headersOf(request), await reader.read(request))
    } catch (error) {
      if (error instanceof Unread)
        return { status: error.status, text: error.message, headers: error.headers }
      warn('serve', request.url ?? '', error)
      return { status: error instanceof Fatal ? 503 : 500, text: 'it was not stored; send it again' }
    }
  }
  return (request, response) => void answer(request).then(given => send(response, given))
}

function send(response: ServerResponse, { status, text, headers }: Answer): void {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', ...headers })
  response.end(`${text}\n`)
}

/** The project that a path names; undefined if it names none. */
function projectOf({ url = '' }: IncomingMessage): string | undefined {
  const name = /^\/hooks\/([^/?#]+)(?:[?#]|$)/.exec(url)?.[1]
  try {
    return name === undefined ? undefined : decodeURIComponent(name)
  } catch {
    // No text is written so.
    return undefined
  }
}

const headersOf = ({ headers }: IncomingMessage): Headers =>
  new Headers(
    Object.entries(headers).filter((header): header is [string, string] => typeof header[1] === 'string'),
  )

async function receive(
  store: Store,
  project: string,
  { forge, secret }: Receiving,
  headers: Headers,
  body: Buffer,
): Promise<Answer> {
  if (!forge.verify(headers, body, secret))
    return { status: 401, text: 'the signature is not that of the secret' }
  let wish: Wish
  try {
    wish = forge.read(headers, body)
  } catch (error) {
    if (!(error instanceof BadDelivery)) throw error
    return { status: 400, text: reasonOf(error) }
  }
  if (wish.kind === 'ping') return { status: 200, text: `pong: ${project} listens` }
  if (wish.kind === 'nothing') return { status: 202, text: `nothing to do: ${wish.why}` }
  const id = deliveryId(forge, headers, body)
  const stored = await store.put(project, { id, content: formatDelivery({ headers, body }) })
  if (stored === 'there') say('info', `${project}: delivery ${id} was here before`)
  return { status: 202, text: stored === 'stored' ? `stored as ${id}` : `${id} was here before` }
}

/** The forge's own id; where it has none that can name a file, one that the same body has again. */
function deliveryId(forge: Forge, headers: Headers, body: Buffer): string {
  const id = forge.deliveryId(headers)
  if (id !== undefined && isDeliveryId(id)) return id
  return createHash('sha256')
    .update(id ?? '')
    .update(body)
    .digest('hex')
    .slice(0, 40)
}
