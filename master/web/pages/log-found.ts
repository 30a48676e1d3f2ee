// Lines that were found in a log, with those around them.

import { counted } from '../../../lib/base/text.ts'
import { plainLine } from '../../../lib/web/ansi.ts'
import { html } from '../../../lib/web/html.ts'
import type { Html } from '../../../lib/web/html.ts'
import { formatLineName, formatPosition, parsePosition } from '../log/line.ts'
import type { Line } from '../log/line.ts'
import type { LogWindow, WindowedLog } from '../log/log-window.ts'
import { item } from './log-lines.ts'
import type { LogQuery, LineOptions } from './log-lines.ts'
import { withQuery } from './page.ts'

/** Lines of a list of findings; of so many of them those around are shown, so many before and behind. */
const FOUND = 200
const WITH_AROUND = 40
const AROUND = 2

/** The lines that were found, each with those around it, as groups that share no line. */
export async function around(log: WindowedLog, found: readonly Line[]): Promise<Line[][]> {
  const groups: Line[][] = []
  const shown = new Set<string>()
  for (const [i, line] of found.entries()) {
    const lines = i < WITH_AROUND ? await neighbours(log, line) : [line]
    const fresh = lines.filter(line => !shown.has(formatLineName(line)))
    for (const line of fresh) shown.add(formatLineName(line))
    // A group that touches the last one belongs to it, and so do lines that stand alone.
    const last = groups.at(-1)
    if (last && (fresh.length < lines.length || i >= WITH_AROUND)) last.push(...fresh)
    else groups.push(fresh)
  }
  return groups
}

async function neighbours(log: WindowedLog, line: Line): Promise<Line[]> {
  const place = await log.before(line)
  const before = await log.backward(place, AROUND)
  const behind = await log.forward(place, AROUND + 1)
  return [...before.lines, ...behind.lines]
}

/** Finds the text, from a place on. `gone` ends it: nobody waits for it any more. */
export async function findings(
  log: WindowedLog,
  text: string,
  query: LogQuery,
  gone: AbortSignal,
): Promise<LogWindow> {
  const from = parsePosition(query.from) ?? { out: 0, err: 0 }
  if (text === '') return { lines: [], from, to: log.size, first: true, last: true }
  return log.search(text, from, FOUND, gone)
}

export function foundOf(
  window: LogWindow,
  q: string,
  options: LineOptions,
  groups: readonly (readonly Line[])[],
): Html {
  const { base, local } = options
  const more = withQuery(base, { q, from: formatPosition(window.to), time: local ? 'local' : undefined })
  return html`<p class="note" role="status">
      ${window.lines.length === 0 ? 'No line' : counted(window.lines.length, 'line')}${window.last ? '' : ' so far'}
      with
      <q>${q}</q>. <a href="${base}">Back to the log</a>
    </p>
    ${groups.map(
      group =>
        html`<ol class="log found">
          ${group.map(line => item(line, options, marked(plainLine(line.text), q)))}
        </ol>`,
    )}
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
