// The state of a project or of one of its refs as a small picture. Pure, but for what the index says.

import { html } from '../../../lib/web/html.ts'
import type { Html } from '../../../lib/web/html.ts'
import type { Site } from '../site/site.ts'
import { checkKey } from './change.ts'
import { wordFor, worst } from './status.ts'
import { isVerdict } from '../site/states.ts'
import type { State } from '../site/states.ts'

/** Of so many revisions the newest one counts that has ended. */
const BADGE_REVISIONS = 50
const LOOK_BACK_ALL = 2000

/** How the newest revision that has ended did, all architectures and checks together, each by its last attempt. */
export function stateOfRef(site: Site, project: string, ref?: string): State {
  let looked = 0
  for (const rows of site.index.revisions({ project, ref })) {
    const state = endOf(site, rows)
    if (state !== undefined) return state
    if (++looked === BADGE_REVISIONS) break
  }
  return 'unread'
}

/** How a revision did, each architecture and check by its last attempt; undefined if it has not ended. */
function endOf(site: Site, rows: readonly number[]): State | undefined {
  const last = new Map<string, State>()
  for (const row of rows) {
    const entry = site.index.entry(row)
    const key = checkKey(entry.target, entry.label)
    if (!last.has(key)) last.set(key, entry.state)
  }
  const states = [...last.values()]
  return states.length > 0 && states.every(isVerdict) ? worst(states) : undefined
}

/** The same of each project, as far as its last revisions are among the newest of all. */
export function statesOfProjects(site: Site, projects: number): ReadonlyMap<string, State> {
  const found = new Map<string, State>()
  let looked = 0
  for (const rows of site.index.revisions()) {
    const { project } = site.index.entry(rows[0]!)
    const state = found.has(project) ? undefined : endOf(site, rows)
    if (state !== undefined) found.set(project, state)
    if (found.size === projects || ++looked === LOOK_BACK_ALL) break
  }
  return found
}

const COLOURS: Partial<Record<State, string>> = {
  success: '#1a7f37',
  failure: '#b3261e',
  error: '#b3261e',
  timeout: '#8f5300',
  lost: '#6b3fa0',
}

/** The average width of a letter in this size; `textLength` makes it exact. */
const LETTER = 6.4

/** The picture: a name on the left and a word on the right. */
export function badgeSvg(name: string, state: State): Html {
  const word = state === 'unread' ? 'unknown' : wordFor(state)
  const [left, right] = [name, word].map(text => Math.round(text.length * LETTER) + 12) as [number, number]
  const text = (content: string, from: number, width: number) =>
    html`<text x="${from + width / 2}" y="14" textLength="${width - 12}" lengthAdjust="spacingAndGlyphs"
      >${content}</text
    >`
  return html`<svg
    xmlns="http://www.w3.org/2000/svg"
    width="${left + right}"
    height="20"
    role="img"
    aria-label="${name}: ${word}"
  >
    <title>${name}: ${word}</title>
    <clipPath id="r"><rect width="${left + right}" height="20" rx="4" fill="#fff" /></clipPath>
    <g clip-path="url(#r)">
      <rect width="${left}" height="20" fill="#3d444d" />
      <rect x="${left}" width="${right}" height="20" fill="${COLOURS[state] ?? '#59636e'}" />
    </g>
    <g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">
      ${text(name, 0, left)} ${text(word, left, right)}
    </g>
  </svg> `
}
