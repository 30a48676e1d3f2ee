// The routes, and the headers of every response: it may not be framed or sniffed, and runs only our own
// script.

import { join } from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'

import { getConnInfo } from '@hono/node-server/conninfo'
import { Hono } from 'hono'
import type { Context } from 'hono'
import { deleteCookie, getCookie, setCookie } from 'hono/cookie'
import { bodyLimit } from 'hono/body-limit'
import { streamSSE } from 'hono/streaming'
import type { SSEStreamingApi } from 'hono/streaming'

import { listIfThere } from '../../lib/system/listing.ts'
import { Fatal } from '../../lib/base/exit.ts'
import { warn } from '../../lib/system/log.ts'
import { approve, heldChanges } from '../../lib/spool/held.ts'
import { lastRetry } from '../../lib/view/settled.ts'
import { parseTaskName } from '../../lib/spool/task-name.ts'
import type { StepView, TaskView } from '../../lib/view/view.ts'
import { askCancel, retryLast } from '../../lib/view/wishes.ts'
import { publicView, showJson, statusJson } from './api.ts'
import { SANDBOX } from '../../lib/web/foreign.ts'
import { artifactsPage, byteRange, listArtifacts, openArtifact } from './artifacts.ts'
import type { Assets } from './assets.ts'
import { COOKIE, isSameOrigin, SESSION } from './auth.ts'
import type { Auth, Sender, Viewer } from './auth.ts'
import { badgeSvg, stateOfRef } from './pages/badge.ts'
import { atomFeed } from './pages/feed.ts'
import { frontPage } from './pages/front.ts'
import { hostPage, hostsPage } from './pages/hosts-page.ts'
import { iconPath } from './pages/icon.ts'
import { isOurHost } from '../../lib/web/our-host.ts'
import { jobPage } from './pages/job-page.ts'
import { follow } from './log/follow.ts'
import { items, logPage, readWindow } from './pages/log-page.ts'
import { logText } from './log/text.ts'
import { formatPosition, parsePosition, WindowedLog } from './log/log-window.ts'
import { backTo, loginPage } from './pages/login-page.ts'
import { metrics } from './metrics.ts'
import { jobPath, logPath, notice, projectPath, shortRef } from './pages/page.ts'
import type { Visit } from './pages/page.ts'
import type { Site } from './site/site.ts'
import { STATES } from './site/task-index.ts'
import type { Filter } from './site/task-index.ts'
import { trendsPage } from './pages/trends-page.ts'

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

/** Delay of the response to a wrong token, in milliseconds. */
const WRONG = 500
/** A stream that has nothing to say says so this often, in milliseconds: else proxies close it. */
const BEAT = 20_000

type Env = { Variables: { viewer: Viewer; visit: Visit } }

/** What is done for people, where a task is kept. */
export interface Wishes {
  /** Throws Fatal where it is not possible. */
  cancel(view: TaskView): Promise<void>
  /** Returns the number of the task that runs instead. */
  retry(view: TaskView): Promise<number>
  /** Called before something of a job is shown, and while somebody follows it; `file`: one of its artifacts. */
  look?(num: number, file?: string): Promise<void>
}

const inSpool = (site: Site): Wishes => ({
  cancel: view => {
    const refused = askCancel(site.spool, view.name)
    return refused ? Promise.reject(refused) : Promise.resolve()
  },
  retry: view => Promise.resolve(parseTaskName(retryLast(site.spool, view.name))!.num),
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
): Hono<Env> {
  const app = new Hono<Env>()
  const ours = [...names, ...(origin === undefined ? [] : [new URL(origin).hostname])]

  app.use(async (c, next) => {
    if (isOurHost(c.req.header('host'), ours)) return next()
    return c.text('This name is not known here: REPORTER_URL is to say by which this site is called.\n', 421)
  })
  app.use(bodyLimit({ maxSize: 16 * 1024 }))
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

  app.get('/', async c => c.html(await frontPage(c.var.visit, site, frontQuery(c))))
  app.get('/project/:project', async c => {
    const project = c.req.param('project')
    if (!site.knows(project)) return missing(c)
    return c.html(await frontPage(c.var.visit, site, frontQuery(c, project)))
  })
  app.get('/project/:project/trends', async c => {
    const project = c.req.param('project')
    if (!site.knows(project)) return missing(c)
    return c.html(await trendsPage(c.var.visit, site, project))
  })
  app.get('/project/:project/feed.atom', async c => {
    const project = c.req.param('project')
    if (!site.knows(project)) return missing(c)
    const feed = await atomFeed(site, project, origin ?? new URL(c.req.url).origin)
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

  for (const path of ['/job/:num/*', '/api/show/:num']) {
    app.use(path, async (c, next) => {
      const num = number(c.req.param('num'))
      const file = /^\/job\/\d+\/artifacts\/(.+)$/.exec(decoded(c.req.path))?.[1]
      if (num !== undefined && wishes.look) await wishes.look(num, file)
      return next()
    })
  }
  app.get('/job/:num', async c => {
    const view = taskOf(site, c)
    return view ? c.html(await jobPage(c.var.visit, site, publicView(site, c.var.viewer, view))) : missing(c)
  })
  app.get('/job/:num/log/:step', async c => {
    const found = stepOf(site, c)
    if (!found) return missing(c)
    const { view, step, directory } = found
    const wantsText =
      c.req.query('plain') !== undefined || !(c.req.header('accept') ?? '').includes('text/html')
    if (wantsText) return plainLog(c, directory, step)
    return c.html(
      await logPage(
        c.var.visit,
        site.forgeOf(view.project),
        view,
        step,
        directory,
        logQuery(c),
        c.req.raw.signal,
      ),
    )
  })
  app.get('/job/:num/log/:step/lines', async c => {
    const found = stepOf(site, c)
    if (!found) return missing(c)
    const { view, step, directory } = found
    const log = await WindowedLog.open(join(directory, 'steps', step.name), step.state === 'running')
    try {
      const query = logQuery(c)
      const window = await readWindow(log, step, query)
      const options = { base: logPath(view, step.name), start: step.started, local: query.local }
      const { from, to, first, last } = window
      const html = String(items(window.lines, options))
      return c.json({ html, from: formatPosition(from), to: formatPosition(to), first, last })
    } finally {
      await log.close()
    }
  })
  app.get('/job/:num/log/:step/events', c => {
    const found = stepOf(site, c)
    if (!found) return missing(c)
    return followLog(c, site, found, () => void wishes.look?.(found.view.num))
  })

  app.get('/job/:num/artifacts', c => c.redirect(`${c.req.path}/`, 308))
  app.get('/job/:num/artifacts/:path{.*}', async c => {
    const view = taskOf(site, c)
    const job = view && site.jobOf(view)
    if (job === undefined) return missing(c)
    return artifact(c, view!, job, c.req.param('path'))
  })

  app.post('/job/:num/cancel', c =>
    act(c, auth, site, async view => {
      await wishes.cancel(view)
      return jobPath(view)
    }),
  )
  app.post('/job/:num/retry', c =>
    act(c, auth, site, async view => {
      // A second click shows the result of the first.
      const last = lastRetry(site.spool, view.name, 'all')?.view
      if (last && last.state !== 'over') return jobPath(last)
      return `/job/${await wishes.retry(view)}`
    }),
  )

  app.post('/project/:project/approve/:number/:revision', async c => {
    const { project, number, revision } = c.req.param()
    const form = await c.req.parseBody()
    const { viewer } = c.var
    if (viewer.name === undefined || !auth.isOurs(senderOf(c), viewer, text(form['word'])))
      return forbidden(c)
    const change = heldChanges(site.spool).find(
      held => held.project === project && String(held.number) === number && held.revision === revision,
    )
    if (change && approve(site.spool, change)) return c.redirect(projectPath(project), 303)
    const why = 'It was approved or closed, or has another head meanwhile.'
    return c.html(notice(visitOf(c), 'Not held any more', why), 409)
  })

  app.get('/events', c => changes(c, site))

  app.get('/api/status', c => c.json(statusJson(site, c.var.viewer)))
  app.get('/api/status/:project', c => {
    const project = c.req.param('project')
    return site.knows(project) ? c.json(statusJson(site, c.var.viewer, project)) : noJson(c)
  })
  app.get('/api/show/:num', async c => {
    const view = taskOf(site, c)
    return view ? c.json(await showJson(site, c.var.viewer, view)) : noJson(c)
  })

  app.get('/login', c => {
    if (!auth.form) return missing(c)
    return c.html(loginPage(c.var.visit, backTo(c.req.query('back')), false))
  })
  app.post('/login', async c => {
    if (!auth.form || !isSameOrigin(senderOf(c))) return forbidden(c)
    const form = await c.req.parseBody()
    const back = backTo(text(form['back']))
    const session = auth.login(text(form['token']) ?? '')
    if (session === undefined) {
      await sleep(WRONG)
      return c.html(loginPage(c.var.visit, back, true), 403)
    }
    setCookie(c, COOKIE, session, {
      httpOnly: true,
      sameSite: 'Strict',
      path: '/',
      maxAge: SESSION,
      secure: new URL(origin ?? c.req.url).protocol === 'https:',
    })
    return c.redirect(back, 303)
  })
  app.post('/logout', async c => {
    const form = await c.req.parseBody()
    if (!auth.isOurs(senderOf(c), c.var.viewer, text(form['word']))) return forbidden(c)
    deleteCookie(c, COOKIE, { path: '/' })
    return c.redirect('/', 303)
  })
  return app
}

function senderOf(c: Context<Env>): Sender {
  return {
    address: getConnInfo(c).remote.address ?? '',
    header: name => c.req.header(name),
    cookie: name => getCookie(c, name),
  }
}

const visitOf = (c: Context<Env>): Visit =>
  (c.var as Partial<Env['Variables']>).visit ?? { viewer: {}, form: false, here: '/', edition: '' }

const missing = (c: Context<Env>) =>
  c.html(notice(visitOf(c), 'Not here', 'There is no such page. What it showed may have been pruned.'), 404)

const noJson = (c: Context<Env>) => c.json({ error: 'there is none of that name' }, 404)

const forbidden = (c: Context<Env>) =>
  c.html(
    notice(
      visitOf(c),
      'Not allowed',
      'This needs somebody who may do it, on a page of this site. If you are logged in, go back, load the page again and repeat it.',
    ),
    403,
  )

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

const number = (value: string | undefined): number | undefined =>
  /^\d{1,15}$/.test(value ?? '') ? Number(value) : undefined

/** `refs/heads/main` for `main`, if there is such a ref. */
function fullRef(site: Site, ref: string | undefined): string | undefined {
  if (ref === undefined || ref === '') return undefined
  return site.index.findRef(full => full === ref || shortRef(full) === ref) ?? ref
}

function frontQuery(
  c: Context<Env>,
  project = c.req.query('project'),
): { filter: Filter; before?: number | undefined } {
  const asked = (name: string) => c.req.query(name)?.trim() || undefined
  const q = asked('q')
  return {
    filter: {
      project: project === '' ? undefined : project,
      ref: asked('ref'),
      state: STATES.find(state => state === asked('verdict')),
      arch: asked('arch'),
      host: asked('host'),
      // A whole commit id is longer than the part of it that stands in a version.
      text: q !== undefined && /^[0-9a-f]{8,64}$/.test(q) ? q.slice(0, 7) : q,
    },
    before: number(asked('before')),
  }
}

function logQuery(c: Context<Env>) {
  const { from, to, line, part, q, time } = c.req.query()
  return { from, to, line, part, q, local: time === 'local' }
}

function taskOf(site: Site, c: Context<Env>): TaskView | undefined {
  const num = number(c.req.param('num'))
  return num === undefined ? undefined : site.find(num)
}

interface FoundStep {
  readonly view: TaskView
  readonly step: StepView
  /** Of the job. */
  readonly directory: string
}

/** A step that the listing of its job has: so no name leads out of it. */
function stepOf(site: Site, c: Context<Env>): FoundStep | undefined {
  const view = taskOf(site, c)
  const directory = view && site.jobOf(view)
  const wanted = c.req.param('step')
  const step = view?.job?.steps.find(({ name }) => name === wanted)
  if (!step || directory === undefined || !listIfThere(join(directory, 'steps')).includes(step.name))
    return undefined
  return { view: view!, step, directory }
}

async function plainLog(c: Context<Env>, directory: string, step: StepView): Promise<Response> {
  const log = await WindowedLog.open(join(directory, 'steps', step.name), step.state === 'running')
  const local = c.req.query('tai64nlocal') !== undefined
  const chunks = Readable.from(logText(log, local), { objectMode: true, highWaterMark: 1 })
  chunks.once('close', () => void log.close())
  return c.body(Readable.toWeb(chunks) as ReadableStream, 200, {
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Security-Policy': SANDBOX,
  })
}

const STREAM_HEADERS = { 'X-Accel-Buffering': 'no', 'Cache-Control': 'no-store' }

/** A stream of events, as long as the browser listens; to HEAD only how it would begin. */
function events(
  c: Context<Env>,
  send: (stream: SSEStreamingApi, stop: AbortSignal) => Promise<void>,
): Response {
  for (const [name, value] of Object.entries(STREAM_HEADERS)) c.header(name, value)
  if (c.req.method === 'HEAD') return c.body(null, 200, { 'Content-Type': 'text/event-stream' })
  return streamSSE(c, async stream => {
    const stop = new AbortController()
    stream.onAbort(() => stop.abort())
    const beat = setInterval(() => void stream.write(': still here\n\n'), BEAT)
    try {
      await send(stream, stop.signal)
    } finally {
      clearInterval(beat)
    }
  })
}

/** New lines of a log, each with the place behind it as its id; `end` when no more will come. */
function followLog(c: Context<Env>, site: Site, { view, step }: FoundStep, look: () => void): Response {
  const from = parsePosition(c.req.header('last-event-id') ?? c.req.query('from')) ?? { out: 0, err: 0 }
  const options = {
    base: logPath(view, step.name),
    start: step.started,
    local: c.req.query('time') === 'local',
  }
  return events(c, async (stream, stop) => {
    const again = setInterval(look, BEAT)
    try {
      for await (const window of follow(step.name, from, () => stepOf(site, c), stop)) {
        const html = String(items(window.lines, options))
        await stream.writeSSE({ event: 'lines', id: formatPosition(window.to), data: JSON.stringify(html) })
      }
    } finally {
      clearInterval(again)
    }
    if (!stop.aborted) await stream.writeSSE({ event: 'end', data: '' })
  })
}

/** A word each time when pages may look different. */
function changes(c: Context<Env>, site: Site): Response {
  return events(c, async (stream, stop) => {
    const unsubscribe = site.onChange(
      () => void stream.writeSSE({ event: 'change', data: String(site.index.changes) }),
    )
    await new Promise(done => stop.addEventListener('abort', done))
    unsubscribe()
  })
}

async function artifact(c: Context<Env>, view: TaskView, job: string, path: string): Promise<Response> {
  const entries = path === '' || path.endsWith('/') ? await listArtifacts(job, path) : undefined
  if (entries) return c.html(artifactsPage(c.var.visit, view, path, entries))
  const opened = await openArtifact(job, path)
  if (!opened) return missing(c)
  const { file, size, type } = opened
  const name = path.slice(path.lastIndexOf('/') + 1)
  const range = byteRange(c.req.header('range'), size)
  const { start, end } = range ?? { start: 0, end: size - 1 }
  if (range && start > end) {
    await file.close()
    return c.body(null, 416, { 'Content-Range': `bytes */${size}` })
  }
  const content = file.createReadStream({ start, end: Math.max(0, end), highWaterMark: 64 * 1024 })
  return c.body(Readable.toWeb(content) as ReadableStream, range ? 206 : 200, {
    'Content-Type': type ?? 'application/octet-stream',
    'Content-Length': String(end - start + 1),
    'Accept-Ranges': 'bytes',
    ...(range ? { 'Content-Range': `bytes ${start}-${end}/${size}` } : {}),
    'Content-Security-Policy': SANDBOX,
    // A report in its sandbox is of no origin, and yet may have its own style and pictures.
    'Cross-Origin-Resource-Policy': /^(image|text\/css)/.test(type ?? '') ? 'cross-origin' : 'same-origin',
    ...(type === undefined
      ? { 'Content-Disposition': `attachment; filename*=UTF-8''${encodeURIComponent(name)}` }
      : {}),
  })
}

/** Performs an action for a user who may, on a page of ours; responds with the page to go to. */
async function act(
  c: Context<Env>,
  auth: Auth,
  site: Site,
  action: (view: TaskView) => Promise<string>,
): Promise<Response> {
  const { viewer } = c.var
  const form = await c.req.parseBody()
  if (viewer.name === undefined || !auth.isOurs(senderOf(c), viewer, text(form['word']))) return forbidden(c)
  const view = taskOf(site, c)
  if (!view) return missing(c)
  const to = await action(view)
  site.changed()
  return c.redirect(to, 303)
}

/** A path without its escapes; as it came, where these are none. */
function decoded(path: string): string {
  try {
    return decodeURI(path)
  } catch {
    return path
  }
}
