// The front page, of all projects or of one: what goes on now, then a row for each revision, newest first, with a column
// for each architecture.

import type { CommitView } from '../../../lib/git/commit.ts'
import { counted } from '../../../lib/base/text.ts'
import type { TaskView } from '../../../lib/view/view.ts'
import { stateOfRef } from './badge.ts'
import { html } from '../../../lib/web/html.ts'
import type { Html } from '../../../lib/web/html.ts'
import { changeAuthor, changeTitle, checkKey } from './change.ts'
import { changeLink, commitLink } from './forge-links.ts'
import { heldSection } from './held.ts'
import { nowSection } from './now.ts'
import { age, jobPath, page, projectPath, shortRef, targetOf, withQuery } from './page.ts'
import type { Visit } from './page.ts'
import { boardOf } from '../site/board.ts'
import type { CurrentWork } from '../site/board.ts'
import type { Site } from '../site/site.ts'
import { signOf, stateOf, wordFor, worst } from './status.ts'
import { blocks, durationOf } from './task-parts.ts'
import { STATES } from '../site/states.ts'
import type { State } from '../site/states.ts'
import type { Filter } from '../site/filter.ts'

/** Rows of a page. */
const ROWS = 25
/** Attempts before the last one that a cell shows. */
const ATTEMPTS = 4
/** Refs that a filter offers: those pushed last. */
const REFS_LISTED = 100
/** Refs at the top of a project, at most; they are looked for among so many of its newest tasks. */
const REFS = 8
const REFS_BACK = 300

export interface FrontQuery {
  readonly filter: Filter
  /** Rows older than this number only. */
  readonly before?: number | undefined
}

/** One revision: its newest task first. */
interface Row {
  readonly views: readonly TaskView[]
  readonly newest: number
}

/** Serves the front page of all projects, or of the one that the filter names. */
export async function frontPage(visit: Visit, site: Site, query: FrontQuery): Promise<Html> {
  const { filter, before } = query
  const { project } = filter
  const { rows, more } = gather(site, query)
  const commits = await site.commits(rows.map(row => row.views[0]!))
  const base = project === undefined ? '/' : projectPath(project)
  const asked = queryOf(filter)
  const filtered = Object.keys(asked).length > 0
  const live = before === undefined
  const board = boardOf(site, project)
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
      ${tabs(site, project)} ${project !== undefined && live && !filtered && refsOf(site, project)}
      ${before === undefined && !filtered && nowSection(visit, board)}
      ${live && !filtered && heldSection(visit, site, project)}
      <section aria-labelledby="revisions" data-part="revisions">
        <h2 id="revisions">Revisions</h2>
        ${filterForm(site, base, filter)}
        ${
          site.index.unread > 0 &&
          html`<p class="note">
            Still reading: ${counted(site.index.unread, 'older job')} of ${site.index.count} to go.
          </p>`
        }
        ${rows.length === 0 ? empty(filtered, project) : table(site, rows, commits, project === undefined)}
        <nav class="pages" aria-label="Pages">
          ${before !== undefined && html`<a href="${withQuery(base, asked)}">Newest</a>`}
          ${more && html`<a rel="next" href="${withQuery(base, { ...asked, before: rows.at(-1)!.newest })}">Older</a>`}
        </nav>
      </section>`,
  )
}

/** What goes on, for the title: `1 running, 3 queued`. */
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
  const tab = (text: string, href: string, on: boolean) =>
    html`<a href="${href}" ${on ? html`aria-current="page"` : ''}>${text}</a>`
  return html`<nav class="tabs" aria-label="Projects">
    ${tab('All', '/', current === undefined)}
    ${projects.map(project => tab(project, projectPath(project), project === current))}
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

/** The refs that were pushed lately, each with how its newest revision did that has ended: is it good? */
function refsOf(site: Site, project: string): Html | false {
  const refs = new Map<string, TaskView | undefined>()
  let looked = 0
  for (const row of site.index.rows({ project })) {
    const entry = site.index.entry(row)
    if (entry.ref !== '' && !refs.has(entry.ref)) refs.set(entry.ref, site.view(entry))
    if (refs.size === REFS || ++looked === REFS_BACK) break
  }
  if (refs.size === 0) return false
  return html`<ul class="refs" aria-label="Refs" data-part="refs">
    ${[...refs].map(([ref, view]) => {
      const state = stateOfRef(site, project, ref)
      return html`<li>
        <a class="ref s-${state}" href="${withQuery(projectPath(project), { ref })}"
          >${signOf(state)} ${(view && changeTitle(view)) ?? shortRef(ref)}<span class="hidden"
            >: ${wordFor(state)}</span
          ></a
        >
      </li>`
    })}
  </ul>`
}

const queryOf = ({ ref, state, arch, host, text }: Filter): Record<string, string> =>
  Object.fromEntries(
    Object.entries({ ref, verdict: state, arch, host, q: text }).filter(
      (entry): entry is [string, string] => entry[1] !== undefined,
    ),
  )

function filterForm(site: Site, base: string, filter: Filter): Html {
  const archs = [...new Set(site.index.targets().map(target => target.split(':', 1)[0]!))]
  const select = (
    label: string,
    name: string,
    values: readonly string[],
    current = '',
    show = (x: string) => x,
  ) =>
    html`<label
      ><span>${label}</span
      ><select name="${name}">
        <option value="">any</option>
        ${(values.includes(current) || current === '' ? values : [...values, current]).map(
          value =>
            html`<option value="${value}" ${value === current ? html`selected=""` : ''}>
              ${show(value)}
            </option>`,
        )}
      </select></label
    >`
  const states = STATES.filter(state => state !== 'unread')
  return html`<form class="filter" method="get" action="${base}" role="search">
    <label class="find"
      ><span>Version or commit</span
      ><input
        type="search"
        name="q"
        value="${filter.text}"
        data-find=""
        autocomplete="off"
        spellcheck="false"
    /></label>
    ${select('Ref', 'ref', site.index.refs(REFS_LISTED).sort(), filter.ref, shortRef)}
    ${select('State', 'verdict', states, filter.state, state => wordFor(state as (typeof STATES)[number]))}
    ${select('Architecture', 'arch', archs, filter.arch)}
    ${select('Host', 'host', site.index.hosts(), filter.host)}
    <button>Filter</button>
    ${Object.keys(queryOf(filter)).length > 0 && html`<a href="${base}">Clear</a>`}
  </form>`
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

function table(
  site: Site,
  rows: readonly Row[],
  commits: ReadonlyMap<string, CommitView>,
  named: boolean,
): Html {
  const targets = [...new Set(rows.flatMap(row => row.views.map(targetOf)))].sort()
  return html`<div class="scroll" role="region" aria-label="Revisions" tabindex="0">
    <table class="revisions">
      <thead>
        <tr>
          <th scope="col">Revision</th>
          <th scope="col">Age</th>
          ${targets.map(target => html`<th scope="col">${target}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(row => rowOf(site, row, targets, commits, named))}
      </tbody>
    </table>
  </div>`
}

function rowOf(
  site: Site,
  { views }: Row,
  targets: readonly string[],
  commits: ReadonlyMap<string, CommitView>,
  named: boolean,
): Html {
  const [first] = views
  const { project, version, revision } = first!
  const commit = revision === null ? undefined : commits.get(revision)
  const forge = site.forgeOf(project)
  const refs = [...new Set(views.map(view => view.ref).filter(ref => ref !== null))]
  return html`<tr data-row="">
    <th scope="row">
      <a class="what" href="${jobPath(first!)}">${changeTitle(first!) ?? commit?.subject ?? version}</a>
      <span class="facts"
        >${named && html`<a class="project" href="${projectPath(project)}">${project}</a>`}
        ${refs.map(
          ref => html`<a class="ref" href="${withQuery(projectPath(project), { ref })}">${shortRef(ref)}</a>`,
        )}
        ${changeLink(forge, first!)} ${commit && commitLink(forge, first!)}
        <bdi>${changeAuthor(first!) ?? commit?.author}</bdi></span
      >
    </th>
    <td class="when" data-label="Age">${age(first!.made ?? first!.job?.claimed ?? null)}</td>
    ${targets.map(target =>
      cell(
        target,
        views.filter(view => targetOf(view) === target),
      ),
    )}
  </tr>`
}

/** All of a revision for one target: a line for each check, in the order in which they were made. */
function cell(target: string, views: readonly TaskView[]): Html {
  if (views.length === 0) return html`<td class="none" data-label="${target}"></td>`
  const labels = [...new Set(views.map(view => view.label))].reverse()
  return html`<td data-label="${target}">
    ${labels.map(label => attemptsOf(views.filter(view => view.label === label)))}
  </td>`
}

/** One check by its last attempt, and those before it. */
function attemptsOf([last, ...before]: readonly TaskView[]): Html | false {
  if (!last) return false
  const state = stateOf(last)
  return html`<div class="cell">
    ${last.label !== null && html`<bdi>${last.label}</bdi>`}
    <a class="verdict s-${state}" href="${jobPath(last)}"
      >${signOf(state)} ${wordFor(state)}<span class="hidden"> of job ${last.num}</span></a
    >
    ${durationOf(last)} ${blocks(last)}
    ${
      before.length > 0 &&
      html`<span class="attempts"
        >before:
        ${before.map(
          view =>
            html`<a href="${jobPath(view)}" title="${wordFor(stateOf(view))}"
              >${signOf(stateOf(view))}<span class="hidden">${wordFor(stateOf(view))}, job </span
              >${view.num}</a
            > `,
        )}</span
      >`
    }
  </div>`
}
