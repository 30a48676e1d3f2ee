// Lines of a log in a page: each with its time and a name that one can link to.

import { parseLabel } from '../../../lib/base/tai64n.ts'
import type { StepView } from '../../../lib/view/view.ts'
import { renderLine } from '../../../lib/web/ansi.ts'
import { html } from '../../../lib/web/html.ts'
import type { Html } from '../../../lib/web/html.ts'
import { formatLineName, formatPosition, parseLineName, parsePosition } from '../log/line.ts'
import type { Line } from '../log/line.ts'
import type { LogWindow, WindowedLog } from '../log/log-window.ts'
import { withQuery } from './page.ts'

/** Lines of a window. */
const PAGE_WINDOW_LINES = 1000
/** Lines before the one that a link names. */
const CONTEXT = 30

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
  if (from) return log.forward(from, PAGE_WINDOW_LINES)
  const to = parsePosition(query.to)
  if (to) return log.backward(to, PAGE_WINDOW_LINES)
  const line = parseLineName(query.line)
  if (line) {
    const before = await log.backward(await log.before(line), CONTEXT)
    return log.forward(before.from, PAGE_WINDOW_LINES)
  }
  const part = /^\d{1,3}$/.test(query.part ?? '') ? Number(query.part) / 100 : undefined
  if (part !== undefined && part < 1) return log.forward(await log.part(part), PAGE_WINDOW_LINES)
  if (part === undefined && (step.state === 'success' || step.state === 'skipped')) {
    return log.forward({ out: 0, err: 0 }, PAGE_WINDOW_LINES)
  }
  return log.backward(log.size, PAGE_WINDOW_LINES)
}

export interface LineOptions {
  readonly base: string
  /** When the step started: times count from there. */
  readonly start: number | null
  readonly local: boolean
}

/**
 * Lines as a list. `follow`: how many lines a script keeps while it adds those that are still to come; 0 for a log that
 * has ended.
 */
export function lines(
  window: LogWindow,
  options: LineOptions & { follow: number; number?: number | undefined },
): Html {
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
    ${items(window.lines, options, options.number)}
  </ol>`
}

/** `number`: that of the first of them, where it is known. */
export const items = (lines: readonly Line[], options: LineOptions, number?: number): Html =>
  html`${lines.map((line, i) => item(line, options, linked(renderLine(line.text)), number === undefined ? undefined : number + i))}`

export function item(
  line: Line,
  { base, start, local }: LineOptions,
  text: Html | string,
  number?: number,
): Html {
  const name = formatLineName(line)
  const href = withQuery(base, { line: name, time: local ? 'local' : undefined })
  const side = line.stream === 'err' && html` class="err"`
  const value = number !== undefined && html` data-number="${number}"`
  const rest = line.cut && html`<i> the rest of this line is in the plain text</i>`
  // There are a thousand of these in a page.
  // prettier-ignore
  return html`<li id="${name}"${side}${value}><a href="${href}#${name}">${timeOf(line, start, local)}</a><span>${text}${rest}</span></li>
`
}

const ADDRESS = /\bhttps?:\/\/[^\s<>"'`\\^{|}\u2400-\u2421]+/g

/** A text with its addresses as links. A full stop or bracket that ends one is the sentence's. */
function linked(text: Html | string): Html | string {
  if (typeof text !== 'string' || !text.includes('://')) return text
  const parts: (Html | string)[] = []
  let at = 0
  for (const { 0: found, index } of text.matchAll(ADDRESS)) {
    const address = found.replace(/[.,;:!?)\]]+$/, '')
    parts.push(text.slice(at, index), html`<a href="${address}" rel="nofollow noreferrer">${address}</a>`)
    at = index + address.length
  }
  return html`${parts}${text.slice(at)}`
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
