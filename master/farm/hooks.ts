// Where forges deliver to: `POST /hooks/PROJECT`. A delivery is verified, stored and answered; no forge is called.

import { createHash } from 'node:crypto'

import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'

import { DELIVERY_MAX } from '../../lib/forge/payload.ts'
import type { Deliveries } from './deliveries.ts'
import type { Projects } from './projects.ts'

export function hooks(projects: Projects, deliveries: Deliveries): Hono {
  const app = new Hono()
  app.use(bodyLimit({ maxSize: DELIVERY_MAX, onError: c => c.json({ error: 'the body is too large' }, 413) }))
  app.post('/:project', async c => {
    const project = projects.find(c.req.param('project'))
    // Nobody without a signature learns which projects there are.
    if (project?.secret === undefined) return c.json({ error: 'there is no such project' }, 404)
    const body = new Uint8Array(await c.req.arrayBuffer())
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
