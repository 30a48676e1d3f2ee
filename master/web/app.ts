// The site put together: its routes, and the headers of every response: it may not be framed or sniffed, and runs only our
// own script.

import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'

import { Fatal } from '../../lib/base/exit.ts'
import { warn } from '../../lib/system/log.ts'
import { approve } from '../../lib/spool/held.ts'
import { cancelLast, retryLast } from '../../lib/view/wishes.ts'
import { isOurHost } from '../../lib/web/our-host.ts'
import type { Assets } from './assets.ts'
import type { Auth } from './auth.ts'
import { metrics } from './metrics.ts'
import { iconPath } from './pages/icon.ts'
import { notice } from './pages/page.ts'
import { actRoutes, loginRoutes } from './routes/acts.ts'
import { apiRoutes } from './routes/api.ts'
import { missing, senderOf, visitOf } from './routes/ground.ts'
import type { App, Env, Ground, Wishes } from './routes/ground.ts'
import { jobRoutes } from './routes/jobs.ts'
import { logRoutes } from './routes/logs.ts'
import { overviewRoutes } from './routes/overview.ts'
import { events } from './routes/streams.ts'
import type { Site } from './site/site.ts'

const POLICY = [
  "default-src 'none'",
  "style-src 'self'",
  "script-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ')

const inSpool = ({ spool }: Site): Wishes => ({
  cancel: ({ name }) =>
    Promise.resolve(cancelLast(spool, name)).then(({ name, refused }) => ({
      name,
      refused: refused?.message ?? null,
    })),
  retry: async ({ name }) => Promise.resolve(retryLast(spool, name)),
  approve: async change => Promise.resolve(approve(spool, change)),
})

/**
 * `origin`: how links begin that leave the site; by default as the request's do. `names`: those of this host, by which it
 * may be called besides.
 */
export function makeApp(
  site: Site,
  auth: Auth,
  assets: Assets,
  names: readonly string[],
  origin?: string,
  wishes: Wishes = inSpool(site),
): App {
  const app: App = new Hono<Env>()
  const ours = [...names, ...(origin === undefined ? [] : [new URL(origin).hostname])]
  const ground: Ground = { site, auth, assets, origin, wishes }
  app.use(async (c, next) => {
    if (isOurHost(c.req.header('host'), ours)) return next()
    return c.text('This name is not known here: REPORTER_URL is to say by which this site is called.\n', 421)
  })
  app.use(bodyLimit({ maxSize: 16 * 1024 }))
  frame(app, ground)
  ownFiles(app, ground)
  overviewRoutes(app, ground)
  jobRoutes(app, ground)
  logRoutes(app, ground)
  actRoutes(app, ground)
  apiRoutes(app, ground)
  loginRoutes(app, ground)
  return app
}

/** The context of each request, and the headers of each response. */
function frame(app: App, { site, auth, assets }: Ground): void {
  app.use(async (c, next) => {
    const viewer = auth.viewer(senderOf(c))
    const { pathname, search } = new URL(c.req.url)
    c.set('viewer', viewer)
    c.set('visit', { viewer, form: auth.form, here: pathname + search, edition: assets.edition })
    site.refresh()
    await next()
    // HEAD is answered as GET is, without what follows: nobody would ever read that, or end it.
    if (c.req.method === 'HEAD') await c.res.body?.cancel()
    const { headers } = c.res
    headers.set('X-Content-Type-Options', 'nosniff')
    headers.set('Referrer-Policy', 'same-origin')
    headers.set('Cross-Origin-Opener-Policy', 'same-origin')
    if (!headers.has('Content-Security-Policy')) headers.set('Content-Security-Policy', POLICY)
    if (!headers.has('Cross-Origin-Resource-Policy'))
      headers.set('Cross-Origin-Resource-Policy', 'same-origin')
    if (!headers.has('Cache-Control')) headers.set('Cache-Control', 'no-store')
  })
  app.onError((error, c) => {
    if (!(error instanceof Fatal)) warn('serve', c.req.path, error)
    const text =
      error instanceof Fatal
        ? site.withoutPaths(error.message)
        : 'Something failed here; the log of the reporter says what.'
    return c.html(notice(visitOf(c), 'It did not work', text), 500)
  })
  app.notFound(c => missing(c))
}

/** Pages that are the same for everybody, and addresses that programs watch. */
function ownFiles(app: App, { site, assets }: Ground): void {
  app.get('/static/:name', c => {
    const asset = assets.find(c.req.param('name'))
    if (!asset) return missing(c)
    return c.body(asset.body, 200, {
      'Content-Type': asset.type,
      'Cache-Control': 'public, max-age=31536000, immutable',
    })
  })
  app.get('/favicon.ico', c => c.redirect(iconPath('none', assets.edition)))
  app.get('/robots.txt', c => c.text('User-agent: *\nDisallow: /\n'))
  app.get('/healthz', c => c.text('ok\n'))
  app.get('/metrics', c =>
    c.body(metrics(site), 200, { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8' }),
  )
  // A word each time when pages may look different.
  app.get('/events', c =>
    events(c, async (stream, stop) => {
      const unsubscribe = site.onChange(
        () => void stream.writeSSE({ event: 'change', data: String(site.index.changes) }),
      )
      await new Promise(done => stop.addEventListener('abort', done))
      unsubscribe()
    }),
  )
}
