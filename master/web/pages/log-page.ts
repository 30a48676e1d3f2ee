// A log in the browser: a window of it, with links to what is before and behind, to every line, and to what it holds.

import type { Forge } from '../../../lib/forge/forge.ts'
import { formatBytes } from '../../../lib/base/text.ts'
import type { StepView, TaskView } from '../../../lib/view/view.ts'
import { html } from '../../../lib/web/html.ts'
import type { Html } from '../../../lib/web/html.ts'
import { formatPosition } from '../log/line.ts'
import type { LogWindow, WindowedLog } from '../log/log-window.ts'
import { changeLink, commitLink } from './forge-links.ts'
import { around, findings, foundOf } from './log-found.ts'
import { lines, readWindow } from './log-lines.ts'
import type { LogQuery, LineOptions } from './log-lines.ts'
import { jobPath, logPath, page, projectPath, seconds, since, withQuery } from './page.ts'
import type { Visit } from './page.ts'
import { badgeOf, signOf, wordFor } from './status.ts'

/** The parts of a long log one can jump to. */
const PARTS = [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100]

/** Serves a window of a log, or what was found in it. `gone` ends a search: nobody waits for it any more. */
export async function logPage(
  visit: Visit,
  forge: Forge | undefined,
  view: TaskView,
  step: StepView,
  log: WindowedLog,
  query: LogQuery,
  gone: AbortSignal,
): Promise<Html> {
  const running = step.state === 'running'
  const base = logPath(view, step.name)
  const found = query.q === undefined ? undefined : await findings(log, query.q, query, gone)
  const window = found ?? (await readWindow(log, step, query))
  const number = found === undefined ? await log.numberAt(window.from) : undefined
  const size = log.size.out + log.size.err
  const options = { base, start: step.started, local: query.local }
  return page(
    visit,
    {
      title: `${step.name} ${wordFor(step.state)}, #${view.num} ${view.project}`,
      state: step.state,
      trail: [
        { text: view.project, href: projectPath(view.project) },
        { text: `#${view.num}`, href: jobPath(view) },
        { text: step.name },
      ],
    },
    html`<div class="head">
        <h1>${badgeOf(step.state)} <span>${step.name}</span></h1>
        <p class="facts">
          of <a href="${jobPath(view)}">#${view.num} ${view.project}</a>
          ${commitLink(forge, view)} ${changeLink(forge, view)}
          ${step.seconds === null ? since(step.started) : seconds(step.seconds)}
          <span>${formatBytes(size)}</span>
        </p>
      </div>
      <nav class="tabs" aria-label="Steps">
        ${(view.job?.steps ?? []).map(
          other =>
            html`<a
              href="${logPath(view, other.name)}"
              ${other.name === step.name ? html`aria-current="page"` : ''}
              >${signOf(other.state)} ${other.name}</a
            >`,
        )}
      </nav>
      ${tools(base, query)}
      ${found === undefined ? windowOf(window, { ...options, running, size, number }) : foundOf(found, query.q!, options, await around(log, found.lines))}
      ${otherSteps(view, step, query.local)}`,
  )
}

/** The form that finds lines, and the choice of their times. */
function tools(base: string, query: LogQuery): Html {
  const text = withQuery(base, { plain: 1, tai64nlocal: query.local ? 1 : undefined })
  return html`<div class="tools">
    <form method="get" action="${base}" role="search" class="find">
      ${query.local && html`<input type="hidden" name="time" value="local" />`}
      <label
        ><span>Find in this log</span
        ><input type="search" name="q" value="${query.q}" data-find="" autocomplete="off" spellcheck="false"
      /></label>
      <button>Find</button>
    </form>
    <p>
      Times
      ${
        query.local
          ? html`<a href="${base}">from the start</a> <strong>local</strong>`
          : html`<strong>from the start</strong> <a href="${withQuery(base, { time: 'local' })}">local</a>`
      }
      · <a href="${text}">Plain text</a>
    </p>
  </div>`
}

function windowOf(
  window: LogWindow,
  options: LineOptions & { running: boolean; size: number; number: number | undefined },
): Html {
  const { base, local, running, size } = options
  const time = local ? 'local' : undefined
  const long = !window.first || !window.last
  return html`${
    long &&
    html`<nav class="parts" aria-label="Parts of the log">
      ${PARTS.map(part => html`<a href="${withQuery(base, { part, time })}">${partName(part)}</a>`)}
    </nav>`
  }
  ${
    !window.first &&
    html`<p class="more" data-more="before">
      <a rel="prev" href="${withQuery(base, { to: formatPosition(window.from), time })}">Earlier lines</a>
    </p>`
  }
  ${size === 0 && !running ? html`<p class="empty">It printed nothing.</p>` : lines(window, { ...options, follow: running ? Infinity : 0 })}
  ${
    !window.last &&
    html`<p class="more" data-more="behind">
      <a rel="next" href="${withQuery(base, { from: formatPosition(window.to), time })}">Later lines</a>
    </p>`
  }
  ${running && html`<p class="follow" data-following="">${signOf('running')} It is running: new lines appear here.</p>`}`
}

const partName = (part: number) => (part === 0 ? 'start' : part === 100 ? 'end' : `${part} %`)

/** Where to go on, behind the end of the log. */
function otherSteps(view: TaskView, step: StepView, local: boolean): Html {
  const steps = view.job?.steps ?? []
  const later = steps.slice(steps.findIndex(({ name }) => name === step.name) + 1)
  const [next] = later
  // Short steps are passed over: a reader follows the job, and ends where it does.
  const now = later.find(({ state }) => state === 'running') ?? later.at(-1)
  return html`<nav
    class="pages"
    aria-label="Other logs"
    ${view.job?.verdict != null && html`data-over=""`}
    ${now && html`data-go="${withQuery(logPath(view, now.name), { time: local ? 'local' : undefined })}"`}
  >
    ${next && html`<a href="${logPath(view, next.name)}">Next step: ${signOf(next.state)} ${next.name}</a>`}
    <a href="${jobPath(view)}/log">The whole job as text</a>
  </nav>`
}
