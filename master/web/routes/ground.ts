// Common to all routes: the site, who asks, and the answers that any of them may give.

import { getConnInfo } from '@hono/node-server/conninfo'
import type { Context, Hono } from 'hono'
import { getCookie } from 'hono/cookie'

import type { HeldChange } from '../../../lib/spool/held.ts'
import type { TaskId } from '../../../lib/spool/task-name.ts'
import type { StepView, TaskView } from '../../../lib/view/view.ts'
import type { Cancelled } from '../../../lib/view/views.ts'
import type { Assets } from '../assets.ts'
import type { Auth, Sender } from '../auth.ts'
import { notice } from '../pages/page.ts'
import type { Viewer, Visit } from '../pages/page.ts'
import type { Site } from '../site/site.ts'

export interface Env {
  Variables: { viewer: Viewer; visit: Visit }
}
export type App = Hono<Env>
export type Asked = Context<Env>

/** Requests of people, answered where work is kept. */
export interface Wishes {
  cancel(view: TaskView): Promise<Cancelled>
  /** Returns the name of the task that runs instead. Throws Fatal where that is not possible. */
  retry(view: TaskView): Promise<TaskId>
  /** Lets this head of a change run; false if it is not held any more. */
  approve(change: HeldChange): Promise<boolean>
  /** Called before a task is looked for that `text` may mean: a number, a name or a revision. */
  recall?(text: string): Promise<void>
  /** True while tasks of this revision are still to be made; by default where there is an event of it. */
  isComing?(text: string): Promise<boolean>
}

export interface Ground {
  readonly site: Site
  readonly auth: Auth
  readonly assets: Assets
  /** How links begin that leave the site; undefined: as the request's do. */
  readonly origin: string | undefined
  readonly wishes: Wishes
}

export function senderOf(c: Asked): Sender {
  return {
    address: getConnInfo(c).remote.address ?? '',
    header: name => c.req.header(name),
    cookie: name => getCookie(c, name),
  }
}

export const visitOf = (c: Asked): Visit =>
  (c.var as Partial<Env['Variables']>).visit ?? { viewer: {}, form: false, here: '/', edition: '' }

export const missing = (c: Asked) =>
  c.html(notice(visitOf(c), 'Not here', 'There is no such page. What it showed may have been pruned.'), 404)

export const forbidden = (c: Asked) =>
  c.html(
    notice(
      visitOf(c),
      'Not allowed',
      'This needs somebody who may do it, on a page of this site. If you are logged in, go back, load the page again and repeat it.',
    ),
    403,
  )

export const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

export const number = (value: string | undefined): number | undefined =>
  /^\d{1,15}$/.test(value ?? '') ? Number(value) : undefined

/** The task of the number in the path. */
export function taskOf(site: Site, c: Asked): TaskView | undefined {
  const num = number(c.req.param('num'))
  return num === undefined ? undefined : site.find(num)
}

export interface FoundStep {
  readonly view: TaskView
  readonly step: StepView
}

/** A step that its job has, by the name in the path: so no name leads out of it. */
export function stepOf(site: Site, c: Asked): FoundStep | undefined {
  const view = taskOf(site, c)
  const wanted = c.req.param('step')
  const step = view?.job?.steps.find(({ name }) => name === wanted)
  return view && step && { view, step }
}
