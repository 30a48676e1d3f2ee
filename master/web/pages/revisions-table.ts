// Revisions as a table: a row each, with a column for each architecture.

import type { CommitView } from '../../../lib/git/commit.ts'
import type { TaskView } from '../../../lib/view/view.ts'
import { html } from '../../../lib/web/html.ts'
import type { Html } from '../../../lib/web/html.ts'
import type { Site } from '../site/site.ts'
import { changeAuthor, changeTitle } from './change.ts'
import { changeLink, commitLink } from './forge-links.ts'
import { targetOf } from '../../../lib/spool/task-name.ts'
import { age, jobPath, projectPath, shortRef, withQuery } from './page.ts'
import { scrollTable } from './table.ts'
import { signOf, stateOf, wordFor } from './status.ts'
import { blocks, durationOf } from './task-parts.ts'

/** One revision: its newest task first. */
export interface Row {
  readonly views: readonly TaskView[]
  readonly newest: number
}

/** `named`: the rows are of several projects. */
export function revisionsTable(
  site: Site,
  rows: readonly Row[],
  commits: ReadonlyMap<string, CommitView>,
  named: boolean,
): Html {
  const targets = [...new Set(rows.flatMap(row => row.views.map(targetOf)))].sort()
  return scrollTable(
    'Revisions',
    targets.length === 1 ? 'revisions one' : 'revisions',
    ['Revision', 'Age', ...targets],
    rows.map(row => rowOf(site, row, targets, commits, named)),
  )
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
