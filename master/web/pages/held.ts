// Changes that wait for a person, with what of them is to be looked at first.

import { heldChanges } from '../../../lib/spool/held.ts'
import type { HeldChange } from '../../../lib/spool/held.ts'
import { html } from '../../../lib/web/html.ts'
import type { Html } from '../../../lib/web/html.ts'
import { button, projectPath } from './page.ts'
import type { Visit } from './page.ts'
import type { Site } from '../site/site.ts'

/** Of those that are held, so many are shown. */
const HELD_SHOWN = 50

/** The held changes of one project, or of all; nothing where there is none. */
export function heldSection(visit: Visit, site: Site, project: string | undefined): Html {
  const held = heldChanges(site.spool).filter(change => project === undefined || change.project === project)
  if (held.length === 0) return html`<div data-part="held"></div>`
  return html`<section aria-labelledby="held" data-part="held" class="held">
    <h2 id="held">Held</h2>
    <ul class="others">
      ${held.slice(0, HELD_SHOWN).map(change => heldItem(visit, change))}
    </ul>
    ${held.length > HELD_SHOWN && html`<p class="quiet">and ${held.length - HELD_SHOWN} more</p>`}
  </section>`
}

function heldItem(visit: Visit, change: HeldChange): Html {
  const { project, number, title, author, revision, touches } = change
  const action = `${projectPath(project)}/approve/${number}/${encodeURIComponent(revision)}`
  return html`<li data-row="">
    <a class="project" href="${projectPath(project)}">${project}</a>
    <span class="num">#${number}</span> <bdi>${title}</bdi> <bdi>${author}</bdi>
    <code>${revision.slice(0, 10)}</code>
    ${touches !== null && html`<strong class="s-error">changes ${touches}</strong>`}
    ${button(visit.viewer, action, 'Approve')}
  </li>`
}
