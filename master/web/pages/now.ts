// The current work: running tasks, and queued ones with the reason why they wait.

import type { Crew, TakerView } from '../../../lib/view/takers.ts'
import { takersLine } from '../../../lib/view/takers-line.ts'
import type { CommitView } from '../../../lib/git/commit.ts'
import { counted, formatSeconds } from '../../../lib/base/text.ts'
import { beginOf, runningFor } from '../../../lib/view/view.ts'
import type { TaskView } from '../../../lib/view/view.ts'
import { tellEvents } from '../../../lib/view/pending-events.ts'
import { tellWait } from '../../../lib/view/why-waiting.ts'
import { html } from '../../../lib/web/html.ts'
import type { Html } from '../../../lib/web/html.ts'
import { age, button, hostPath, jobPath, since } from './page.ts'
import type { Visit } from './page.ts'
import type { CurrentWork, Waiting } from '../site/board.ts'
import { signOf } from './status.ts'
import { blocks, taskLink } from './task-parts.ts'

/** Of what waits, so many are shown. */
const QUEUED_SHOWN = 8

/** The tasks that it tells of. */
export const toldOf = ({ running, waiting }: CurrentWork): TaskView[] =>
  [...running, ...waiting.slice(0, QUEUED_SHOWN)].map(({ view }) => view)

/** `commits`: those of the tasks that it tells of, by revision. */
export function nowSection(visit: Visit, work: CurrentWork, commits: ReadonlyMap<string, CommitView>): Html {
  const { running, waiting, more, paused, takers, crew, events } = work
  const subject = ({ revision }: TaskView) => commits.get(revision ?? '')?.subject
  const rest = more + Math.max(0, waiting.length - QUEUED_SHOWN)
  const idle = running.length === 0 && waiting.length === 0
  return html`<section aria-labelledby="now" data-part="now" class="now">
    <h2 id="now">Now</h2>
    <p class="side"><a href="/hosts">${takersWords(takers, crew)}</a></p>
    ${paused.length > 0 && html`<p class="note"><strong>Paused:</strong> ${paused.map(pauseWords).join(', ')}.</p>`}
    ${events.map(one => html`<p class="note">${tellEvents(one, Date.now())}</p>`)}
    ${idle && html`<p class="quiet">Nothing is queued or running.</p>`}
    ${
      running.length > 0 &&
      html`<ul class="running">
        ${running.map(({ view, expected }) => runningItem(visit, view, expected, subject(view)))}
      </ul>`
    }
    ${
      waiting.length > 0 &&
      html`<ul class="waiting">
        ${waiting.slice(0, QUEUED_SHOWN).map(one => waitingItem(visit, one, subject(one.view)))}
      </ul>`
    }
    ${rest > 0 && html`<p class="quiet">${counted(rest, 'more task')} ${rest === 1 ? 'is' : 'are'} queued behind these.</p>`}
  </section>`
}

/** `3 takers: 2 busy, 1 silent`; where on its host one works stands elsewhere, for those who may know. */
const takersWords = (takers: readonly TakerView[], crew: Crew): string =>
  takersLine(
    takers.map(taker => ({ ...taker, slot: '' })),
    crew,
    Date.now(),
  )

const pauseWords = (name: string): string =>
  name === 'all' ? 'everything' : name.replace(/^(project|host):/, '$1 ')

function runningItem(visit: Visit, view: TaskView, expected: number | null, subject?: string): Html {
  const { job } = view
  const step = job?.steps.find(step => step.state === 'running')
  const elapsed = runningFor(job, Date.now()) ?? 0
  return html`<li data-row="">
    <span class="s-running">${signOf('running')}<span class="hidden">running</span></span>
    ${taskLink(view, subject)}
    <span class="doing"
      >${step && html`<span>in <strong>${step.name}</strong></span>`}
      ${job?.host != null && html`<span>on <a href="${hostPath(job.host)}">${job.host}</a></span>`}
      ${blocks(view)}
      ${
        expected !== null &&
        html`<progress
          max="${Math.ceil(expected)}"
          value="${Math.min(Math.ceil(expected), Math.floor(elapsed))}"
          aria-label="Time of job ${view.num}, as part of what it usually takes"
        ></progress>`
      }</span
    >
    <span class="spent"
      >${since(beginOf(job))}${expected !== null && html` <span>of ${formatSeconds(expected)}</span>`}</span
    >
    ${view.cancelling ? html`<em>being cancelled</em>` : button(visit.viewer, `${jobPath(view)}/cancel`, 'Cancel')}
  </li>`
}

function waitingItem(visit: Visit, { view, wait }: Waiting, subject?: string): Html {
  return html`<li data-row="">
    <span class="s-waiting">${signOf('waiting')}<span class="hidden">queued</span></span>
    ${taskLink(view, subject)} <span class="why">${tellWait(wait)}</span>
    <span class="spent">${age(view.made)}</span>
    ${view.cancelling ? '' : button(visit.viewer, `${jobPath(view)}/cancel`, 'Cancel')}
  </li>`
}
