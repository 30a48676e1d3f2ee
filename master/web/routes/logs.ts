// The log of a step: as a page, as lines for a page that has others already, as they come, and as text.

import { Readable } from 'node:stream'

import { SANDBOX } from '../../../lib/web/foreign.ts'
import { follow } from '../log/follow.ts'
import { formatPosition, parsePosition } from '../log/line.ts'
import { WindowedLog } from '../log/log-window.ts'
import { closing, logText, wholeText } from '../log/text.ts'
import { items, readWindow } from '../pages/log-lines.ts'
import { logPage } from '../pages/log-page.ts'
import { logPath } from '../pages/page.ts'
import { openLog } from '../site/job-files.ts'
import type { Site } from '../site/site.ts'
import { missing, stepOf, taskOf } from './ground.ts'
import type { App, Asked, FoundStep, Ground } from './ground.ts'
import { events } from './streams.ts'

export function logRoutes(app: App, { site }: Ground): void {
  const open = ({ view, step }: FoundStep) =>
    openLog(site.files, view, step.name).then(log => WindowedLog.open(log, step.state === 'running'))

  app.get('/job/:num/log', c => {
    const view = taskOf(site, c)
    if (!view?.job) return missing(c)
    const { steps } = view.job
    return text(
      c,
      wholeText(steps, step => open({ view, step }), isLocal(c)),
    )
  })
  app.get('/job/:num/log/:step', async c => {
    const found = stepOf(site, c)
    if (!found) return missing(c)
    const wantsText =
      c.req.query('plain') !== undefined || !(c.req.header('accept') ?? '').includes('text/html')
    const log = await open(found)
    if (wantsText) return text(c, closing(log, logText(log, isLocal(c))))
    try {
      const { view, step } = found
      const forge = site.forgeOf(view.project)
      return c.html(await logPage(c.var.visit, forge, view, step, log, logQuery(c), c.req.raw.signal))
    } finally {
      await log.close()
    }
  })
  app.get('/job/:num/log/:step/lines', async c => {
    const found = stepOf(site, c)
    if (!found) return missing(c)
    const { view, step } = found
    const log = await open(found)
    try {
      const query = logQuery(c)
      const window = await readWindow(log, step, query)
      const options = { base: logPath(view, step.name), start: step.started, local: query.local }
      const { from, to, first, last } = window
      const number = await log.numberAt(from)
      const html = String(items(window.lines, options, number))
      return c.json({ html, from: formatPosition(from), to: formatPosition(to), first, last })
    } finally {
      await log.close()
    }
  })
  app.get('/job/:num/log/:step/events', c => {
    const found = stepOf(site, c)
    return found ? followLog(c, site, found) : missing(c)
  })
}

function logQuery(c: Asked) {
  const { from, to, line, part, q, time } = c.req.query()
  return { from, to, line, part, q, local: time === 'local' }
}

const isLocal = (c: Asked): boolean => c.req.query('tai64nlocal') !== undefined

/** A log of any length, as its reader takes it. */
function text(c: Asked, chunks: AsyncGenerator<Buffer>): Response {
  const stream = Readable.from(chunks, { objectMode: true, highWaterMark: 1 })
  return c.body(Readable.toWeb(stream) as ReadableStream, 200, {
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Security-Policy': SANDBOX,
  })
}

/** New lines of a log, each with the place behind it as its id; `end` when no more will come. */
function followLog(c: Asked, site: Site, { view, step }: FoundStep): Response {
  const from = parsePosition(c.req.header('last-event-id') ?? c.req.query('from')) ?? { out: 0, err: 0 }
  const options = {
    base: logPath(view, step.name),
    start: step.started,
    local: c.req.query('time') === 'local',
  }
  return events(c, async (stream, stop) => {
    const look = () => stepOf(site, c)?.view
    for await (const { window, number } of follow(site.files, step.name, from, look, stop)) {
      const html = String(items(window.lines, options, number))
      await stream.writeSSE({ event: 'lines', id: formatPosition(window.to), data: JSON.stringify(html) })
    }
    if (!stop.aborted) await stream.writeSSE({ event: 'end', data: '' })
  })
}
