// JSON for programs, `bass` on other machines among them. What changes something needs the token as a bearer, which no browser
// sends by itself.

import { Fatal } from '../../../lib/base/exit.ts'
import { hasEvent } from '../../../lib/view/pending-events.ts'
import { heldChanges } from '../../../lib/spool/held.ts'
import { notFound } from '../../../lib/view/not-one-task.ts'
import type { TaskView } from '../../../lib/view/view.ts'
import { API } from '../../../lib/view/views.ts'
import { publicView, RECENT_MAX, showJson, statusJson } from '../api.ts'
import { findTasks, whyAmbiguous } from '../site/finder.ts'
import { missing, number, stepOf, taskOf } from './ground.ts'
import type { App, Asked, Ground } from './ground.ts'
import { ranged } from './ranged.ts'

/** Tasks whose subjects one may ask for at once. */
const SUBJECTS = 200

export function apiRoutes(app: App, ground: Ground): void {
  tasksApi(app, ground)
  actsApi(app, ground)
}

function tasksApi(app: App, ground: Ground): void {
  const { site, wishes } = ground
  app.use('/api/*', async (c, next) => {
    await next()
    c.res.headers.set(API.header, API.version)
  })
  app.use('/api/:what/:num/*', async (c, next) => {
    const num = number(c.req.param('num'))
    if (num !== undefined) await wishes.recall?.(String(num))
    return next()
  })
  app.get('/api/status', c => c.json(statusJson(site, c.var.viewer, recentOf(c))))
  app.get('/api/status/:project', c => {
    const project = c.req.param('project')
    if (!site.knows(project)) return noJson(c)
    return c.json(statusJson(site, c.var.viewer, recentOf(c), project))
  })
  app.get('/api/subjects', async c => {
    const nums = (c.req.query('tasks') ?? '').split(',', SUBJECTS).map(number)
    const views = nums.map(num => (num === undefined ? undefined : site.find(num)))
    const commits = await site.commits(views.filter(view => view !== undefined))
    return c.json(Object.fromEntries([...commits].map(([revision, { subject }]) => [revision, subject])))
  })
  app.get('/api/show/:num', async c => {
    const view = taskOf(site, c)
    return view ? c.json(await showJson(site, c.var.viewer, view)) : noJson(c)
  })
  app.get('/api/task/:num', c => {
    const view = taskOf(site, c)
    if (!view) return noJson(c)
    return c.json({ view: publicView(site, c.var.viewer, view), settled: site.isSettled(view) })
  })
  app.get('/api/log/:num/:step/:stream{out|err}', async c => {
    const found = stepOf(site, c)
    if (!found) return missing(c)
    const path = `steps/${found.step.name}/std${c.req.param('stream')}.txt`
    const bytes = await site.files.open(found.view, path)
    return bytes ? ranged(c, bytes, { 'Content-Type': 'application/octet-stream' }) : noJson(c)
  })
}

function actsApi(app: App, ground: Ground): void {
  const { site, wishes } = ground
  app.get('/api/find', async c => {
    const { task = '', which = 'all' } = c.req.query()
    await wishes.recall?.(task)
    const coming = wishes.isComing ? await wishes.isComing(task) : hasEvent(site.spool, task)
    if (which === 'coming') return c.json({ names: [], coming })
    const names = findTasks(site, task)
    if (names.length === 0) return c.json({ error: notFound(task).message }, 404)
    if (which === 'all') return c.json({ names, coming })
    const ambiguous = whyAmbiguous(site, task, names)
    return ambiguous === undefined
      ? c.json({ names: names.slice(-1), coming })
      : c.json({ error: ambiguous }, 404)
  })
  app.post('/api/cancel/:num', c =>
    act(c, ground, async view => {
      const cancelled = await wishes.cancel(view)
      return c.json(cancelled)
    }),
  )
  app.post('/api/approve/:project/:number/:revision', async c => {
    if (c.var.viewer.direct !== true) return c.json({ error: 'this needs the token, as a bearer' }, 401)
    const { project, number, revision } = c.req.param()
    const change = heldChanges(site.spool).find(
      held => held.project === project && String(held.number) === number && held.revision === revision,
    )
    if (change && (await wishes.approve(change))) return c.json({ approved: revision })
    return c.json({ error: 'it is not held any more' }, 409)
  })
  app.post('/api/retry/:num', c => act(c, ground, async view => c.json({ name: await wishes.retry(view) })))
}

const recentOf = (c: Asked): number | undefined => {
  const count = number(c.req.query('recent'))
  return count === undefined ? undefined : Math.min(count, RECENT_MAX)
}

const noJson = (c: Asked) => c.json({ error: 'there is none of that name' }, 404)

async function act(
  c: Asked,
  { site }: Ground,
  action: (view: TaskView) => Promise<Response>,
): Promise<Response> {
  if (c.var.viewer.direct !== true) return c.json({ error: 'this needs the token, as a bearer' }, 401)
  const view = taskOf(site, c)
  if (!view) return noJson(c)
  try {
    const answer = await action(view)
    site.changed()
    return answer
  } catch (error) {
    if (!(error instanceof Fatal)) throw error
    return c.json({ error: site.withoutPaths(error.message) }, 409)
  }
}
