// POST /hooks/PROJECT: takes deliveries of forges. One is checked against the project's secret before anything in it is read,
// and durable before it is answered; no call is made meanwhile.

import { createHash } from 'node:crypto'

import { Hono } from 'hono'
import type { Context } from 'hono'
import { bodyLimit } from 'hono/body-limit'

import { reasonOf } from '../../lib/base/errno.ts'
import { Fatal } from '../../lib/base/exit.ts'
import { BadDelivery } from '../../lib/forge/forge.ts'
import type { Forge, Wish } from '../../lib/forge/forge.ts'
import { inboxOf, isDeliveryId, makeInbox, storeDelivery } from '../../lib/spool/inbox.ts'
import type { Spool } from '../../lib/spool/spool.ts'
import { say, warn } from '../../lib/system/log.ts'
import { formatDelivery } from './delivery.ts'

/** Most bytes of a delivery; GitHub sends none that is larger. */
const BODY_MAX = 25 * 1024 * 1024

/** Most bytes of all deliveries that are being read; beyond that, senders are asked to come again. */
const READING_MAX = 8 * BODY_MAX

/** The settings of a project that a delivery is judged by. */
export interface Receiving {
  readonly forge: Forge
  readonly secret: string
}

/** `find` answers what is known of a project; undefined if it is not there, or has no forge or secret. */
export function hooksApp(spool: Spool, find: (project: string) => Receiving | undefined): Hono {
  const app = new Hono()
  let reading = 0
  app.post(
    '/hooks/:project',
    async (c, next) => {
      // A body without a length may be as long as it can be.
      const size = Math.min(BODY_MAX, Number(c.req.header('content-length') ?? BODY_MAX) || 0)
      if (reading + size > READING_MAX) {
        c.header('Retry-After', '10')
        return c.text('too many deliveries at once\n', 503)
      }
      reading += size
      try {
        await next()
        return undefined
      } finally {
        reading -= size
      }
    },
    bodyLimit({ maxSize: BODY_MAX, onError: c => c.text('a delivery has 25 MB at most\n', 413) }),
    async c => {
      const project = c.req.param('project')
      const receiving = find(project)
      if (!receiving) return c.text('not here\n', 404)
      const body = Buffer.from(await c.req.arrayBuffer())
      return receive(c, spool, project, receiving, body)
    },
  )
  app.all('/hooks/:project', c => c.text('deliveries of a forge are sent here, by POST\n', 405))
  app.onError((error, c) => {
    warn('serve', c.req.path, error)
    return c.text('it was not stored; send it again\n', error instanceof Fatal ? 503 : 500)
  })
  return app
}

function receive(
  c: Context,
  spool: Spool,
  project: string,
  { forge, secret }: Receiving,
  body: Buffer,
): Response {
  const { headers } = c.req.raw
  if (!forge.verify(headers, body, secret)) return c.text('the signature is not that of the secret\n', 401)
  let wish: Wish
  try {
    wish = forge.read(headers, body)
  } catch (error) {
    if (!(error instanceof BadDelivery)) throw error
    return c.text(`${reasonOf(error)}\n`, 400)
  }
  if (wish.kind === 'ping') return c.text(`pong: ${project} listens\n`)
  if (wish.kind === 'nothing') return c.text(`nothing to do: ${wish.why}\n`, 202)
  const inbox = inboxOf(spool, project)
  makeInbox(inbox)
  const id = deliveryId(forge, headers, body)
  const stored = storeDelivery(spool, inbox, id, formatDelivery({ headers, body }))
  if (stored === 'there') say('info', `${project}: delivery ${id} was here before`)
  return c.text(stored === 'stored' ? `stored as ${id}\n` : `${id} was here before\n`, 202)
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
