// A log in the browser: a window of it, with links to what is before and behind, to every line, and to what it holds.

import { join } from 'node:path'

import { parseLabel } from '../../../lib/base/tai64n.ts'
import { counted, formatBytes } from '../../../lib/base/text.ts'
import type { StepView, TaskView } from '../../../lib/view/view.ts'
import { plainLine, renderLine } from '../../../lib/web/ansi.ts'
import { html } from '../../../lib/web/html.ts'
import type { Html } from '../../../lib/web/html.ts'
import type { Forge } from '../../../lib/forge/forge.ts'
import { changeLink, commitLink } from './forge-links.ts'
import {
  formatLineName,
  formatPosition,
  parseLineName,
  parsePosition,
  WindowedLog,
} from '../log/log-window.ts'
import type { Line, LogWindow } from '../log/log-window.ts'
import { jobPath, logPath, page, projectPath, seconds, since, withQuery } from './page.ts'
import type { Visit } from './page.ts'
import { badgeOf, signOf, wordFor } from './status.ts'

/** Lines of a window, and of a list of findings. */
const WINDOW = 1000
const FOUND = 200
/** Lines before the one that a link names. */
const CONTEXT = 30
/** The parts of a long log one can jump to. */
const PARTS = [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100]

export interface LogQuery {
  readonly from?: string | undefined
  readonly to?: string | undefined
  /** The name of a line. */
  readonly line?: string | undefined
  /** Percent of the whole. */
  readonly part?: string | undefined
  /** The text to find. */
  readonly q?: string | undefined
  readonly local: boolean
}

/** The window that a query means; without a place in it, the end of what runs or failed, the beginning of the rest. */
export async function readWindow(log: WindowedLog, step: StepView, query: LogQuery): Promise<LogWindow> {
  const from = parsePosition(query.from)
  if (from) return log.forward(from, WINDOW)
  const to = parsePosition(query.to)
  if (to) return log.backward(to, WINDOW)
  const line = parseLineName(query.line)
  if (line) {
    const before = await log.backward(await log.before(line), CONTEXT)
    return log.forward(before.from, WINDOW)
  }
  const part = /^\d{1,3}$/.test(query.part ?? '') ? Number(query.part) / 100 : undefined
  if (part !== undefined && part < 1) return log.forward(await log.part(part), WINDOW)
  if (part === undefined && (step.state === 'success' || step.state === 'skipped')) {
    return log.forward({ out: 0, err: 0 }, WINDOW)
  }
  return log.backward(log.size, WINDOW)
}

/** Serves a window of a log, or what was found in it. `gone` ends a search: nobody waits for it any more. */
export async function logPage(
  visit: Visit,
  forge: Forge | undefined,
  view: TaskView,
  step: StepView,
  directory: string,
  query: LogQuery,
  gone: AbortSignal,
): Promise<Html> {
  const running = step.state === 'running'
  const log = await WindowedLog.open(join(directory, 'steps', step.name), running)
  try {
    const base = logPath(view, step.name)
    const found = query.q === undefined ? undefined : await findings(log, query.q, query, gone)
    const window = found ?? (await readWindow(log, step, query))
    const size = log.size.out + log.size.err
    const options = { base, start: step.started, local: query.local }
    const text = withQuery(base, { plain: 1, tai64nlocal: query.local ? 1 : undefined })
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
        <div class="tools">
          <form method="get" action="${base}" role="search" class="find">
            ${query.local && html`<input type="hidden" name="time" value="local" />`}
            <label
              ><span>Find in this log</span
              ><input
                type="search"
                name="q"
                value="${query.q}"
                data-find=""
                autocomplete="off"
                spellcheck="false"
            /></label>
            <button>Find</button>
          </form>
          <p>
            Times
            ${
              query.local
                ? html`<a href="${base}">from the start</a> <strong>local</strong>`
                : html`<strong>from the start</strong>
                    <a href="${withQuery(base, { time: 'local' })}">local</a>`
            }
            · <a href="${text}">Plain text</a>
          </p>
        </div>
        ${found === undefined ? windowOf(window, { ...options, running, size }) : foundOf(window, query.q!, options)}`,
    )
  } finally {
    await log.close()
  }
}

interface Options {
  readonly base: string
  /** When the step started: times count from there. */
  readonly start: number | null
  readonly local: boolean
}

function windowOf(window: LogWindow, options: Options & { running: boolean; size: number }): Html {
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

/**
 * Lines as a list. `follow`: how many lines a script keeps while it adds those that are still to come; 0 for a log that
 * has ended.
 */
export function lines(window: LogWindow, options: Options & { follow: number }): Html {
  const { base, follow, local } = options
  return html`<ol
    class="log"
    data-log="${base}"
    data-from="${formatPosition(window.from)}"
    data-to="${formatPosition(window.to)}"
    data-first="${window.first ? 1 : ''}"
    data-last="${window.last ? 1 : ''}"
    data-follow="${follow === 0 ? '' : Number.isFinite(follow) ? follow : 'all'}"
    data-time="${local ? 'local' : ''}"
  >
    ${items(window.lines, options)}
  </ol>`
}

export const items = (lines: readonly Line[], options: Options): Html =>
  html`${lines.map(line => item(line, options, renderLine(line.text)))}`

function item(line: Line, { base, start, local }: Options, text: Html | string): Html {
  const name = formatLineName(line)
  const href = withQuery(base, { line: name, time: local ? 'local' : undefined })
  const side = line.stream === 'err' && html` class="err"`
  const rest = line.cut && html`<i> the rest of this line is in the plain text</i>`
  // There are a thousand of these in a page.
  // prettier-ignore
  return html`<li id="${name}"${side}><a href="${href}#${name}">${timeOf(line, start, local)}</a><span>${text}${rest}</span></li>
`
}

/** `12.345`, `1:02.345`, `1:00:02.345` from the start on; or the time of day, as a script can turn it into another's. */
function timeOf({ label }: Line, start: number | null, local: boolean): Html | string {
  const time = parseLabel(label)
  if (time === undefined) return '·'
  if (local || start === null)
    return html`<time datetime="${new Date(time).toISOString()}">${clock(time)}</time>`
  const milliseconds = Math.max(0, Math.round(time - start))
  const whole = Math.floor(milliseconds / 1000)
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
  const two = (n: number) => String(n).padStart(2, '0')
  const thousandths = String(milliseconds % 1000).padStart(3, '0')
  if (hours > 0) return `${hours}:${two(minutes)}:${two(rest)}.${thousandths}`
  return minutes > 0 ? `${minutes}:${two(rest)}.${thousandths}` : `${rest}.${thousandths}`
}

const DAY = new Intl.DateTimeFormat('sv-SE', { timeStyle: 'medium' })
const clock = (time: number): string => DAY.format(time)

async function findings(
  log: WindowedLog,
  text: string,
  query: LogQuery,
  gone: AbortSignal,
): Promise<LogWindow> {
  const from = parsePosition(query.from) ?? { out: 0, err: 0 }
  if (text === '') return { lines: [], from, to: log.size, first: true, last: true }
  return log.search(text, from, FOUND, gone)
}

function foundOf(window: LogWindow, q: string, options: Options): Html {
  const { base, local } = options
  const more = withQuery(base, { q, from: formatPosition(window.to), time: local ? 'local' : undefined })
  return html`<p class="note" role="status">
      ${window.lines.length === 0 ? 'No line' : counted(window.lines.length, 'line')}${window.last ? '' : ' so far'}
      with
      <q>${q}</q>. <a href="${base}">Back to the log</a>
    </p>
    <ol class="log found">
      ${window.lines.map(line => item(line, options, marked(plainLine(line.text), q)))}
    </ol>
    ${!window.last && html`<p class="more"><a rel="next" href="${more}">Find more</a></p>`}`
}

/** The text with each occurrence marked. */
function marked(text: string, q: string): Html {
  const [hay, needle] = [text.toLowerCase(), q.toLowerCase()]
  const parts: (Html | string)[] = []
  let at = 0
  // Where lower case is longer than upper case, places do not match: then nothing is marked.
  while (hay.length === text.length && needle !== '') {
    const found = hay.indexOf(needle, at)
    if (found < 0) break
    parts.push(text.slice(at, found), html`<mark>${text.slice(found, found + needle.length)}</mark>`)
    at = found + needle.length
  }
  return html`${parts}${text.slice(at)}`
}
