// The front page, of all projects or of one: what goes on now, then a row for each revision, newest first, with a column
// for each architecture.

import { counted } from '../../../lib/base/text.ts'
import { html } from '../../../lib/web/html.ts'
import type { Html } from '../../../lib/web/html.ts'
import { boardOf } from '../site/board.ts'
import type { CurrentWork } from '../site/board.ts'
import type { Filter } from '../site/filter.ts'
import type { Site } from '../site/site.ts'
import type { State } from '../site/states.ts'
import { statesOfProjects } from './badge.ts'
import { checkKey } from './change.ts'
import { filterForm, queryOf } from './filter-form.ts'
import { heldSection } from './held.ts'
import { nowSection, toldOf } from './now.ts'
import { targetOf } from '../../../lib/spool/task-name.ts'
import { page, projectPath, withQuery } from './page.ts'
import type { Visit } from './page.ts'
import { newestRefs, refLinks, refsTable } from './refs.ts'
import { revisionsTable } from './revisions-table.ts'
import type { Row } from './revisions-table.ts'
import { signOf, stateOf, wordFor, worst } from './status.ts'

/** Rows of a page. */
const ROWS = 25
/** Attempts before the last one that a cell shows. */
const ATTEMPTS = 4
export interface FrontQuery {
  readonly filter: Filter
  /** Rows older than this number only. */
  readonly before?: number | undefined
}

/** Serves the front page of all projects, or of the one that the filter names. */
export async function frontPage(visit: Visit, site: Site, query: FrontQuery): Promise<Html> {
  const { filter, before } = query
  const { project } = filter
  const { rows, more } = gather(site, query)
  const base = project === undefined ? '/' : projectPath(project)
  const asked = queryOf(filter)
  const filtered = Object.keys(asked).length > 0
  const live = before === undefined
  const board = boardOf(site, project)
  const overview = live && !filtered
  const refs = overview ? newestRefs(site, project) : []
  const told = [...rows.map(row => row.views[0]!), ...refs.map(({ view }) => view), ...toldOf(board)]
  const commits = await site.commits(told)
  return page(
    visit,
    {
      title: [activity(board), project ?? 'All projects'].filter(Boolean).join(' · '),
      state: board.running.length > 0 ? 'running' : board.waiting.length > 0 ? 'waiting' : lastOf(rows),
      trail: project === undefined ? [] : [{ text: project }],
      live,
      ...(project === undefined ? {} : { feed: `${base}/feed.atom` }),
    },
    html`<h1 class="hidden">${project ?? 'All projects'}</h1>
      ${tabs(site, project)} ${project === undefined && refLinks(refs)}
      ${overview && nowSection(visit, board, commits)} ${overview && heldSection(visit, site, project)}
      ${project !== undefined && refsTable(site, refs, commits)}
      <section aria-labelledby="revisions" data-part="revisions">
        <h2 id="revisions">Revisions</h2>
        ${filterForm(site, base, filter)}
        ${
          site.index.unread > 0 &&
          html`<p class="note">
            Still reading: ${counted(site.index.unread, 'older job')} of ${site.index.count} to go.
          </p>`
        }
        ${rows.length === 0 ? empty(filtered, project) : revisionsTable(site, rows, commits, project === undefined)}
        <nav class="pages" aria-label="Pages">
          ${before !== undefined && html`<a href="${withQuery(base, asked)}">Newest</a>`}
          ${more && html`<a rel="next" href="${withQuery(base, { ...asked, before: rows.at(-1)!.newest })}">Older</a>`}
        </nav>
      </section>`,
  )
}

/** The work that goes on, for the title: `1 running, 3 queued`. */
function activity({ running, waiting, more }: CurrentWork): string {
  const count = (n: number, word: string) => (n === 0 ? '' : `${n} ${word}`)
  return [count(running.length, 'running'), count(waiting.length + more, 'queued')].filter(Boolean).join(', ')
}

/** How the newest of the rows did, each architecture and check by its last attempt. */
function lastOf([first]: readonly Row[]): State {
  const last = new Map<string, State>()
  for (const view of first?.views ?? []) {
    const key = checkKey(targetOf(view), view.label)
    if (!last.has(key)) last.set(key, stateOf(view))
  }
  return worst([...last.values()])
}

function gather(site: Site, { filter, before }: FrontQuery): { rows: Row[]; more: boolean } {
  const rows: Row[] = []
  for (const found of site.index.revisions(filter, before)) {
    if (rows.length === ROWS) return { rows, more: true }
    const entries = found.map(row => site.index.entry(row))
    const shown = entries.filter((entry, i) => {
      const key = checkKey(entry.target, entry.label)
      const same = entries.slice(0, i).filter(other => checkKey(other.target, other.label) === key)
      return same.length <= ATTEMPTS
    })
    const views = shown.map(entry => site.view(entry)).filter(view => view !== undefined)
    if (views.length > 0) rows.push({ views, newest: entries[0]!.num })
  }
  return { rows, more: false }
}

function tabs(site: Site, current: string | undefined): Html | false {
  const projects = site.index.projects()
  if (projects.length === 0) return false
  const states = statesOfProjects(site, projects.length)
  const tab = (text: Html | string, href: string, on: boolean) =>
    html`<a href="${href}" ${on ? html`aria-current="page"` : ''}>${text}</a>`
  const named = (project: string) => {
    const state = states.get(project)
    if (state === undefined) return project
    return html`<span class="s-${state}">${signOf(state)}</span> ${project}<span class="hidden"
        >: ${wordFor(state)}</span
      >`
  }
  return html`<nav class="tabs" aria-label="Projects">
    ${tab('All', '/', current === undefined)}
    ${projects.map(project => tab(named(project), projectPath(project), project === current))}
    ${
      current !== undefined &&
      html`<span class="side"
        ><a href="${projectPath(current)}/trends">Trends</a>
        <a href="${projectPath(current)}/feed.atom">Feed</a>
        <a href="${projectPath(current)}/badge.svg">Badge</a></span
      >`
    }
  </nav>`
}

function empty(filtered: boolean, project: string | undefined): Html {
  if (filtered) return html`<p class="empty">Nothing matches. Choose less, or clear the filter.</p>`
  return html`<div class="empty">
    <p><strong>Nothing has run yet.</strong></p>
    <p>
      A push makes a task, and its result appears here. By hand:
      <code>bass event ${project ?? 'PROJECT'}</code>
    </p>
  </div>`
}
