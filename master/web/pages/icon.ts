// The icon of a page: a wave with a mark of the state, so that a tab shows it from afar. Each mark has a
// shape as well as a colour. Pure.

import { html } from '../../../lib/web/html.ts'
import type { Html } from '../../../lib/web/html.ts'
import type { ShownState } from './status.ts'

const MARKS = {
  none: ['#6fcf97', ''],
  success: ['#6fcf97', 'M18.5 10.5l3.5 3.5 6-7'],
  failure: ['#ff8a80', 'M19 6l8 8M27 6l-8 8'],
  running: ['#8fc7ff', 'M20.5 5.5l7 4.5-7 4.5z'],
  waiting: ['#ded9d0', 'M18.5 10h.1M23 10h.1M27.5 10h.1'],
} as const

type Mark = keyof typeof MARKS
export const ICONS = Object.keys(MARKS) as readonly Mark[]

/** The mark that stands for a state. */
export function iconMarkOf(state: ShownState): Mark {
  if (state === 'success' || state === 'running' || state === 'waiting') return state
  return ['failure', 'error', 'timeout', 'lost'].includes(state) ? 'failure' : 'none'
}

export const iconPath = (mark: Mark, edition: string): string => `/static/icon-${mark}.svg?${edition}`

export function iconSvg(mark: Mark): Html {
  const [colour, shape] = MARKS[mark]
  return html`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">
    <rect width="32" height="32" rx="7" fill="#2b3a55" />
    <path
      d="M5 24c4.2 0 4.6-9 9-9s4.8 9 9 9h4"
      fill="none"
      stroke="#f2efe8"
      stroke-width="3.4"
      stroke-linecap="round"
    />
    ${
      shape === ''
        ? html`<circle cx="14" cy="10" r="3" fill="${colour}" />`
        : html`<circle cx="23" cy="10" r="9" fill="${colour}" />
            <path
              d="${shape}"
              fill="none"
              stroke="#16233a"
              stroke-width="3"
              stroke-linecap="round"
              stroke-linejoin="round"
            />`
    }
  </svg>`
}
