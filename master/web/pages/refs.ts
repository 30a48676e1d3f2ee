// The branches, tags and changes that were pushed last, each with how it is.

import type { CommitView } from '../../../lib/git/commit.ts'
import type { TaskView } from '../../../lib/view/view.ts'
import { html } from '../../../lib/web/html.ts'
import type { Html } from '../../../lib/web/html.ts'
import type { Site } from '../site/site.ts'
import { isVerdict } from '../site/states.ts'
import type { State } from '../site/states.ts'
import { stateOfRef } from './badge.ts'
import { changeAuthor, changeTitle, checkKey } from './change.ts'
import { changeLink } from './forge-links.ts'
import { age, jobPath, projectPath, shortRef, withQuery } from './page.ts'
import { scrollTable } from './table.ts'
import { badgeOf, signOf, wordFor, worst } from './status.ts'

/** Refs that are shown, at most; they are looked for among so many of the newest tasks. */
const REFS = 12
const REFS_BACK = 500

interface RefRow {
  readonly ref: string
  /** Its newest task. */
  readonly view: TaskView
  readonly state: State
}

/** The refs that were pushed lately, the newest first, of one project or of all. */
export function newestRefs(site: Site, project: string | undefined): RefRow[] {
  const found = new Map<string, RefRow>()
  let looked = 0
  for (const row of site.index.rows({ project })) {
    const entry = site.index.entry(row)
    const key = `${entry.project} ${entry.ref}`
    if (entry.ref !== '' && !found.has(key)) {
      const view = site.view(entry)
      if (view) found.set(key, { ref: entry.ref, view, state: stateAt(site, row, entry.ref) })
    }
    if (found.size === REFS || ++looked === REFS_BACK) break
  }
  return [...found.values()]
}

/** How the revision of this row does on a ref: each architecture and check by its last attempt. */
function stateAt(site: Site, row: number, ref: string): State {
  const last = new Map<string, State>()
  for (const other of site.index.sameRevision(row)) {
    const entry = site.index.entry(other)
    const key = checkKey(entry.target, entry.label)
    if (entry.ref === ref && !last.has(key)) last.set(key, entry.state)
  }
  return worst([...last.values()])
}

/** Of all projects: one link each. */
export function refLinks(refs: readonly RefRow[]): Html | false {
  if (refs.length === 0) return false
  return html`<ul class="refs" aria-label="Newest refs" data-part="refs">
    ${refs.map(
      ({ ref, view, state }) =>
        html`<li>
          <a class="ref s-${state}" href="${withQuery(projectPath(view.project), { ref })}"
            >${signOf(state)} ${view.project} ${changeTitle(view) ?? shortRef(ref)}<span class="hidden"
              >: ${wordFor(state)}</span
            ></a
          >
        </li>`,
    )}
  </ul>`
}

/** Of one project: a row for each branch, tag and change. */
export function refsTable(
  site: Site,
  refs: readonly RefRow[],
  commits: ReadonlyMap<string, CommitView>,
): Html | false {
  if (refs.length === 0) return false
  return html`<section aria-labelledby="refs" data-part="refs">
    <h2 id="refs">Branches and changes</h2>
    ${scrollTable(
      'Branches and changes',
      'plain',
      ['Name', 'State', 'Last', 'Age'],
      refs.map(one => refRow(site, one, commits)),
    )}
  </section>`
}

function refRow(site: Site, { ref, view, state }: RefRow, commits: ReadonlyMap<string, CommitView>): Html {
  const commit = commits.get(view.revision ?? '')
  // While it goes on, what it was before is what one may rely on.
  const before = isVerdict(state) ? 'unread' : stateOfRef(site, view.project, ref)
  return html`<tr data-row="">
    <th scope="row">
      <a class="ref" href="${withQuery(projectPath(view.project), { ref })}">${shortRef(ref)}</a>
    </th>
    <td data-label="State">
      ${badgeOf(state)} ${before !== 'unread' && html`<span class="quiet">was</span> ${badgeOf(before)}`}
    </td>
    <td data-label="Last">
      <a href="${jobPath(view)}">${changeTitle(view) ?? commit?.subject ?? view.version}</a>
      <bdi class="quiet">${changeAuthor(view) ?? commit?.author}</bdi>
      ${changeLink(site.forgeOf(view.project), view)}
    </td>
    <td data-label="Age" class="when">${age(view.made ?? view.job?.claimed ?? null)}</td>
  </tr>`
}
