// Where forges deliver to: `POST /hooks/PROJECT`. A delivery is verified, stored and answered; no forge is called.

import { createHash } from 'node:crypto'

import type { HttpBindings } from '@hono/node-server'
import { Hono } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'

import { BodyReader, Unread } from '../../lib/forge/body.ts'
import type { Deliveries } from './deliveries.ts'
import type { Projects } from './projects.ts'

export function hooks(projects: Projects, deliveries: Deliveries): Hono<{ Bindings: HttpBindings }> {
  const app = new Hono<{ Bindings: HttpBindings }>()
  const bodies = new BodyReader()
  app.onError((error, c) => {
    if (!(error instanceof Unread)) throw error
    return c.json({ error: error.message }, error.status as ContentfulStatusCode, error.headers)
  })
  app.post('/:project', async c => {
    const project = projects.find(c.req.param('project'))
    // Nobody without a signature learns which projects there are.
    if (project?.secret === undefined) return c.json({ error: 'there is no such project' }, 404)
    const body = await bodies.read(c.env.incoming)
    const { headers } = c.req.raw
    if (!project.forge.verify(headers, body, project.secret))
      return c.json({ error: 'the signature is wrong' }, 401)
    const id =
      project.forge.deliveryId(headers) ?? createHash('sha256').update(body).digest('hex').slice(0, 32)
    const stored = await deliveries.store(project.name, id, headers, body)
    return c.json({ delivery: id, stored: stored === 'stored' }, 202)
  })
  return app
}
