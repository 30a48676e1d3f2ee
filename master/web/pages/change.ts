// Names the work of a task as people do: the change it is of, and its check. Pure.

import type { TaskView } from '../../../lib/view/view.ts'
import { html } from '../../../lib/web/html.ts'
import type { Html } from '../../../lib/web/html.ts'

type Facts = Pick<TaskView, 'params'>

/** The number of the change that a task is of; undefined where it is of none. */
const numberOf = ({ params }: Facts): string | undefined =>
  /^[1-9]\d{0,14}$/.test(params['CHANGE'] ?? '') ? params['CHANGE'] : undefined

/** `#7 TITLE` of a change, or undefined. The title is a stranger's: it turns nothing around it. */
export function changeTitle(view: Facts): Html | undefined {
  const number = numberOf(view)
  return number === undefined ? undefined : html`#${number} <bdi>${view.params['TITLE'] ?? ''}</bdi>`
}

/** Who made the change; undefined where it is of none, or it is not known. */
export const changeAuthor = (view: Facts): string | undefined =>
  numberOf(view) === undefined ? undefined : view.params['AUTHOR'] || undefined

/** Tells tasks of one revision that are one piece of work tried again from those that are other checks. */
export const checkKey = (target: string, label: string | null): string => `${target}\n${label ?? ''}`
