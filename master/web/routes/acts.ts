// Requests that change something: to cancel, to retry, to approve, to log in and out. Each proves that a page of ours asks for it.

import { setTimeout as sleep } from 'node:timers/promises'

import { deleteCookie, setCookie } from 'hono/cookie'

import { told } from '../../../lib/base/exit.ts'
import { heldChanges } from '../../../lib/spool/held.ts'
import { numberOf } from '../../../lib/spool/task-name.ts'
import { lastRetry } from '../../../lib/view/settled.ts'
import type { TaskView } from '../../../lib/view/view.ts'
import { COOKIE, isSameOrigin, SESSION } from '../auth.ts'
import { backTo, loginPage } from '../pages/login-page.ts'
import { jobPath, notice, projectPath } from '../pages/page.ts'
import { forbidden, missing, senderOf, taskOf, text, visitOf } from './ground.ts'
import type { App, Asked, Ground } from './ground.ts'

/** Delay of the response to a wrong token, in milliseconds. */
const WRONG = 500

export function actRoutes(app: App, ground: Ground): void {
  const { site, wishes } = ground
  app.post('/job/:num/cancel', c =>
    act(c, ground, async view => {
      const { name, refused } = await wishes.cancel(view)
      if (refused !== null) throw told(refused)
      return jobPath({ num: numberOf(name) })
    }),
  )
  app.post('/job/:num/retry', c =>
    act(c, ground, async view => {
      // A second click shows the result of the first.
      const last = lastRetry(site.spool, view.name, 'all')?.view
      if (last && last.state !== 'over') return jobPath(last)
      return jobPath({ num: numberOf(await wishes.retry(view)) })
    }),
  )
  app.post('/project/:project/approve/:number/:revision', c => approveChange(c, ground))
}

/** Performs an action for a user who may, on a page of ours; responds with the page to go to. */
async function act(
  c: Asked,
  { site, auth }: Ground,
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

async function approveChange(c: Asked, { site, auth, wishes }: Ground): Promise<Response> {
  const { project = '', number = '', revision = '' } = c.req.param() as Record<string, string>
  const form = await c.req.parseBody()
  const { viewer } = c.var
  if (viewer.name === undefined || !auth.isOurs(senderOf(c), viewer, text(form['word']))) return forbidden(c)
  const change = heldChanges(site.spool).find(
    held => held.project === project && String(held.number) === number && held.revision === revision,
  )
  if (change && (await wishes.approve(change))) return c.redirect(projectPath(project), 303)
  const why = 'It was approved or closed, or has another head meanwhile.'
  return c.html(notice(visitOf(c), 'Not held any more', why), 409)
}

export function loginRoutes(app: App, { auth, origin }: Ground): void {
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
}
