// Pages of many tasks: the front page, projects, hosts, feeds and badges.

import { atomFeed } from '../pages/feed.ts'
import { badgeSvg, stateOfRef } from '../pages/badge.ts'
import { frontPage } from '../pages/front.ts'
import type { FrontQuery } from '../pages/front.ts'
import { hostPage, hostsPage } from '../pages/hosts-page.ts'
import { shortRef } from '../pages/page.ts'
import { trendsPage } from '../pages/trends-page.ts'
import type { Site } from '../site/site.ts'
import { STATES } from '../site/states.ts'
import { missing, number } from './ground.ts'
import type { App, Asked, Ground } from './ground.ts'

export function overviewRoutes(app: App, { site, origin }: Ground): void {
  app.get('/', async c => c.html(await frontPage(c.var.visit, site, frontQuery(c))))
  app.use('/project/:project/*', async (c, next) => {
    const known = site.knows(c.req.param('project'))
    // Nothing is approved, and no badge lies, of what nobody knows.
    return known || c.req.path.endsWith('/badge.svg') || c.req.method === 'POST'
      ? next()
      : missing(c as Asked)
  })
  app.get('/project/:project', async c => {
    const project = c.req.param('project')
    return c.html(await frontPage(c.var.visit, site, frontQuery(c, project)))
  })
  app.get('/project/:project/trends', async c =>
    c.html(await trendsPage(c.var.visit, site, c.req.param('project'))),
  )
  app.get('/project/:project/feed.atom', async c => {
    const feed = await atomFeed(site, c.req.param('project'), origin ?? new URL(c.req.url).origin)
    return c.body(feed, 200, { 'Content-Type': 'application/atom+xml; charset=utf-8' })
  })
  app.get('/project/:project/badge.svg', c => {
    const project = c.req.param('project')
    const ref = fullRef(site, c.req.query('ref'))
    const state = stateOfRef(site, project, ref)
    return c.body(String(badgeSvg(ref === undefined ? project : `${project} ${shortRef(ref)}`, state)), 200, {
      'Content-Type': 'image/svg+xml',
      'Cache-Control': 'no-cache, max-age=0',
      'Cross-Origin-Resource-Policy': 'cross-origin',
    })
  })

  app.get('/hosts', c => c.html(hostsPage(c.var.visit, site)))
  app.get('/host/:host', c => {
    const found = hostPage(c.var.visit, site, c.req.param('host'), number(c.req.query('before')))
    return found ? c.html(found) : missing(c)
  })
}

/** `refs/heads/main` for `main`, if there is such a ref. */
function fullRef(site: Site, ref: string | undefined): string | undefined {
  if (ref === undefined || ref === '') return undefined
  return site.index.findRef(full => full === ref || shortRef(full) === ref) ?? ref
}

function frontQuery(c: Asked, project = c.req.query('project')): FrontQuery {
  const asked = (name: string) => c.req.query(name)?.trim() || undefined
  return {
    filter: {
      project: project === '' ? undefined : project,
      ref: asked('ref'),
      state: STATES.find(state => state === asked('verdict')),
      arch: asked('arch'),
      host: asked('host'),
      text: asked('q'),
    },
    before: number(asked('before')),
  }
}
