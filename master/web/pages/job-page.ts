// The page of one job: how it ended or what it does, its steps on a line of time, the last lines of the step that counts,
// its files and its relatives.

import { formatBytes } from '../../../lib/base/text.ts'
import { beginOf, pusherOf } from '../../../lib/view/view.ts'
import type { StepView, TaskView } from '../../../lib/view/view.ts'
import { tellWait } from '../../../lib/view/why-waiting.ts'
import { html } from '../../../lib/web/html.ts'
import type { Html } from '../../../lib/web/html.ts'
import { downloadAll } from './artifacts-page.ts'
import { changeAuthor, changeTitle } from './change.ts'
import { changeLink, checkLink, commitLink, revisionLink } from './forge-links.ts'
import { WindowedLog } from '../log/log-window.ts'
import { JOB } from '../../../lib/spool/job-files.ts'
import { openLog } from '../site/job-files.ts'
import type { Artifact } from '../site/job-files.ts'
import { lines } from './log-lines.ts'
import { targetOf } from '../../../lib/spool/task-name.ts'
import {
  age,
  button,
  hostPath,
  jobPath,
  localTime,
  logPath,
  page,
  projectPath,
  seconds,
  shortRef,
  withQuery,
} from './page.ts'
import type { Visit } from './page.ts'
import { boardOf, usualSeconds } from '../site/board.ts'
import type { CommitView } from '../../../lib/git/commit.ts'
import type { Site } from '../site/site.ts'
import { badgeOf, signOf, stateOf, wordFor } from './status.ts'
import { stepsSection } from './steps.ts'
import { blocks, durationOf } from './task-parts.ts'

/** Lines of the step that counts. */
const TAIL = 30
/** Bytes of a small file that are shown. */
const PREVIEW_BYTES = 64 * 1024

export async function jobPage(visit: Visit, site: Site, view: TaskView): Promise<Html> {
  const { job, project, num, revision } = view
  const commit = revision === null ? undefined : (await site.commits([view])).get(revision)
  const forge = site.forgeOf(project)
  const state = stateOf(view)
  const author = changeAuthor(view)
  const live = view.state !== 'over'
  const step = stepThatCounts(view)
  return page(
    visit,
    {
      title: `#${num} ${wordFor(state)}, ${project}`,
      state,
      trail: [{ text: project, href: projectPath(project) }, { text: `#${num}` }],
      live,
    },
    html`<div data-part="head" class="head">
        <h1>
          ${badgeOf(state)}
          <span>${changeTitle(view) ?? commit?.subject ?? `${project} ${view.version}`}</span>
        </h1>
        <p class="facts">
          <span class="num">#${num}</span>
          ${view.label !== null && html`<strong><bdi>${view.label}</bdi></strong>`} ${targetOf(view)}
          ${commitLink(forge, view)} ${changeLink(forge, view)}
          ${
            view.ref !== null &&
            html`<a class="ref" href="${withQuery(projectPath(project), { ref: view.ref })}"
              >${shortRef(view.ref)}</a
            >`
          }
          ${author !== undefined && html`<bdi>${author}</bdi>`} ${durationOf(view)}
        </p>
        <p class="actions">${actions(visit, view)}</p>
        ${live && timesOf(site, view)}
        ${job?.error != null && html`<p class="error">${signOf('error')} ${job.error}</p>`}
        ${(job?.notes ?? []).map(note => html`<p class="note">${note}</p>`)}
        ${live && !job && html`<p class="why">${signOf('waiting')} ${whyOf(site, view)}</p>`}
        ${view.loss !== null && html`<p class="note">It was lost before: ${view.loss}.</p>`}
      </div>
      ${job && stepsSection(site, view)} ${step && (await tail(site, view, step))}
      <div class="columns">
        ${aboutSection(site, view, commit)} ${relatives(site, view)}
        ${job?.artifacts && artifactsSection(view, await site.files.list(view, ''))}
      </div>
      ${visit.viewer.name !== undefined && job && (await details(site, view))}`,
  )
}

function aboutSection(site: Site, view: TaskView, commit: CommitView | undefined): Html {
  const { job } = view
  const begin = beginOf(job)
  const { pusher, params } = pusherOf(view)
  const forge = site.forgeOf(view.project)
  return html`<section aria-labelledby="facts">
    <h2 id="facts">About</h2>
    <dl class="about">
      ${fact('Revision', revisionLink(forge, view))} ${fact('Check', checkLink(forge, view))}
      ${fact('Author', commit && `${commit.author} <${commit.email}>`)} ${fact('Pushed by', pusher)}
      ${fact('Made', view.made !== null && html`${localTime(view.made)} (${age(view.made)})`)}
      ${fact('Queued for', queuedFor(view))}
      ${fact('Started', begin !== null && html`${localTime(begin)} (${age(begin)})`)}
      ${fact('Host', job?.host != null && html`<a href="${hostPath(job.host)}">${job.host}</a>`)}
      ${fact('Runs in', job?.place)}
      ${fact('Ended', job?.ended != null && html`${localTime(job.ended)} (${age(job.ended)})`)}
      ${fact('Retry of', view.retryOf && html`${relative(view.retryOf.parent)}, ${cause(view.retryOf.cause)}`)}
      ${fact('Retried as', job?.retriedAs != null && relative(job.retriedAs))}
      ${Object.entries(params).map(([key, value]) =>
        fact(key, (key === 'CHANGE' && changeLink(forge, view)) || value),
      )}
    </dl>
  </section>`
}

/** How long a job waited for its taker. */
const queuedFor = ({ made, job }: TaskView): Html | string | false =>
  made !== null && job?.claimed != null && seconds(Math.max(0, job.claimed - made) / 1000)

/** When it started, and when such jobs usually are over. */
function timesOf(site: Site, view: TaskView): Html | false {
  const begin = beginOf(view.job)
  if (begin === null) return false
  const usual = usualSeconds(site, view)
  const end = usual === null ? undefined : begin + usual * 1000
  return html`<p class="quiet">
    Started ${age(begin)}.
    ${
      end !== undefined &&
      html`Usually it takes ${seconds(usual)}:
      ${
        end > Date.now()
          ? html`it may end at
              <time datetime="${new Date(end).toISOString()}">${localTime(end).slice(11)}</time>.`
          : 'it is late.'
      }`
    }
  </p>`
}

function actions({ viewer, form, here }: Visit, view: TaskView): Html | string | false {
  const base = jobPath(view)
  const what = view.state === 'over' ? 'retry' : 'cancel'
  if (viewer.name === undefined) {
    if (form) return html`<a href="/login?back=${encodeURIComponent(here)}">Log in to ${what}</a>`
    return html`<span class="quiet"
      >To ${what}: <code>bass ${what} ${view.num}</code>; here, once REPORTER_TOKEN is set.</span
    >`
  }
  if (view.state !== 'over') {
    return view.cancelling
      ? html`<em>It is being cancelled.</em>`
      : button(viewer, `${base}/cancel`, 'Cancel')
  }
  return button(viewer, `${base}/retry`, 'Retry')
}

function whyOf(site: Site, view: TaskView): string {
  const found = boardOf(site).waiting.find(one => one.view.name === view.name)
  return found ? tellWait(found.wait) : 'it is queued behind many others'
}

const CAUSES = {
  lost: 'which was lost',
  drain: 'whose taker was stopped',
  fault: 'whose taker could not run jobs',
  user: 'as somebody asked',
} as const
const cause = (word: keyof typeof CAUSES): string => CAUSES[word]

function relative(name: string): Html {
  const num = name.slice(0, name.indexOf(':'))
  return html`<a href="/job/${encodeURIComponent(num)}">#${num}</a>`
}

const fact = (term: string, value: Html | string | false | null | undefined): Html | false =>
  value !== false &&
  value != null &&
  value !== '' &&
  html`<div>
    <dt>${term}</dt>
    <dd>${value}</dd>
  </div>`

/** The step whose log a person wants to see: the one that runs, or the one that failed, or the last. */
function stepThatCounts({ job }: TaskView): StepView | undefined {
  const steps = job?.steps ?? []
  const bad = (step: StepView) => ['failure', 'timeout', 'cancelled', 'interrupted'].includes(step.state)
  return steps.find(step => step.state === 'running') ?? steps.find(bad) ?? steps.at(-1)
}

async function tail({ files }: Site, view: TaskView, step: StepView): Promise<Html> {
  const log = await WindowedLog.open(await openLog(files, view, step.name), step.state === 'running')
  try {
    const window = await log.backward(log.size, TAIL)
    const base = logPath(view, step.name)
    return html`<section aria-labelledby="tail" class="tail">
      <h2 id="tail">
        ${step.state === 'running' ? 'Now in' : 'End of'} <span class="name">${step.name}</span>
      </h2>
      <p class="facts"><a href="${base}">${window.first ? 'Open the log' : 'Open the whole log'}</a></p>
      ${
        window.lines.length === 0 && step.state !== 'running'
          ? html`<p class="quiet">It printed nothing.</p>`
          : lines(window, {
              base,
              start: step.started,
              local: false,
              follow: step.state === 'running' ? TAIL : 0,
            })
      }
    </section>`
  } finally {
    await log.close()
  }
}

/** Other tasks of the same revision. */
function relatives(site: Site, view: TaskView): Html | false {
  const row = site.index.rowOf(view.num)
  if (row === undefined) return false
  const others = site.index
    .sameRevision(row)
    .map(other => site.index.entry(other))
    .filter(({ num }) => num !== view.num)
    .slice(0, 12)
    .map(entry => site.view(entry))
    .filter(other => other !== undefined)
  if (others.length === 0) return false
  return html`<section aria-labelledby="others">
    <h2 id="others">Others of this revision</h2>
    <ul class="others">
      ${others.map(
        other =>
          html`<li>
            <a href="${jobPath(other)}"
              ><span class="num">#${other.num}</span> ${targetOf(other)}
              ${other.label !== null && html`<bdi>${other.label}</bdi>`}</a
            >
            ${badgeOf(stateOf(other))} ${blocks(other)}
          </li>`,
      )}
    </ul>
  </section>`
}

function artifactsSection(view: TaskView, entries: readonly Artifact[] | undefined): Html | false {
  if (!entries) return false
  const base = `${jobPath(view)}/artifacts`
  return html`<section aria-labelledby="artifacts">
    <h2 id="artifacts"><a href="${base}/">Artifacts</a></h2>
    ${entries.length > 0 && html`<p class="facts">${downloadAll(view)}</p>`}
    <ul class="files">
      ${entries.slice(0, 12).map(
        ({ name, size }) =>
          html`<li>
            <a href="${base}/${encodeURIComponent(name)}${size === null ? '/' : ''}"
              >${name}${size === null ? '/' : ''}</a
            >
            ${size !== null && html`<span class="quiet">${formatBytes(size)}</span>`}
          </li>`,
      )}
      ${entries.length > 12 && html`<li><a href="${base}/">and ${entries.length - 12} more</a></li>`}
      ${entries.length === 0 && html`<li class="quiet">none</li>`}
    </ul>
  </section>`
}

/** Details for visitors who may act: paths and the environment. */
async function details(site: Site, view: TaskView): Promise<Html> {
  const environment = await small(site, view, JOB.environment)
  const kept = (await small(site, view, JOB.work))?.trim()
  return html`<details class="more">
    <summary>Where it ran</summary>
    <dl class="about">
      ${fact('Slot', view.job?.slot)} ${fact('Temporary directory', kept)} ${fact('Job', site.jobOf(view))}
    </dl>
    ${environment !== undefined && html`<pre class="env" tabindex="0" aria-label="Environment">${environment}</pre>`}
  </details>`
}

/** A small file of a job. */
async function small({ files }: Site, view: TaskView, path: string): Promise<string | undefined> {
  const bytes = await files.open(view, path)
  try {
    return (await bytes?.read(0, PREVIEW_BYTES))?.toString()
  } finally {
    await bytes?.close()
  }
}
