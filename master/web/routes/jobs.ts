// The page of a job, and its artifacts.

import { Readable } from 'node:stream'

import type { Bytes } from '../../../lib/view/bytes.ts'
import { plainLine } from '../../../lib/web/ansi.ts'
import { SANDBOX, typeOf } from '../../../lib/web/foreign.ts'
import { publicView } from '../api.ts'
import { artifactsPage, textsAmong } from '../pages/artifacts-page.ts'
import type { Preview } from '../pages/artifacts-page.ts'
import { jobPage } from '../pages/job-page.ts'
import { missing, number, taskOf } from './ground.ts'
import type { App, Asked, Ground } from './ground.ts'
import { ranged } from './ranged.ts'
import { tarOf } from './tar.ts'

/** Bytes of a text that are shown beside its name. */
const PREVIEW = 8 * 1024

export function jobRoutes(app: App, { site, wishes }: Ground): void {
  app.use('/job/:num/*', async (c, next) => {
    const num = number(c.req.param('num'))
    if (num !== undefined) await wishes.recall?.(String(num))
    return next()
  })
  app.get('/job/:num', async c => {
    const view = taskOf(site, c)
    return view ? c.html(await jobPage(c.var.visit, site, publicView(site, c.var.viewer, view))) : missing(c)
  })
  app.get('/job/:num/artifacts.tar', c => {
    const view = taskOf(site, c)
    if (!view?.job?.artifacts) return missing(c)
    const chunks = Readable.from(tarOf(site.files, view), { objectMode: true, highWaterMark: 1 })
    return c.body(Readable.toWeb(chunks) as ReadableStream, 200, {
      'Content-Type': 'application/x-tar',
      'Content-Disposition': `attachment; filename="${view.project}-${view.num}.tar"`,
      'Content-Security-Policy': SANDBOX,
    })
  })
  app.get('/job/:num/artifacts', c => c.redirect(`${c.req.path}/`, 308))
  app.get('/job/:num/artifacts/:path{.*}', async c => {
    const view = taskOf(site, c)
    const path = c.req.param('path')
    if (!view) return missing(c)
    if (path === '' || path.endsWith('/')) {
      const entries = await site.files.list(view, path.replace(/\/$/, ''))
      if (!entries) return missing(c)
      const texts: Preview[] = []
      for (const name of textsAmong(entries)) {
        const bytes = await site.files.open(view, `artifacts/${path}${name}`)
        if (bytes) texts.push(await previewOf(name, bytes))
      }
      return c.html(artifactsPage(c.var.visit, view, path, entries, texts))
    }
    const bytes = await site.files.open(view, `artifacts/${path}`)
    return bytes ? artifact(c, path, bytes) : missing(c)
  })
}

/** The beginning of a text, in which nothing drives a terminal, or a page. */
async function previewOf(name: string, bytes: Bytes): Promise<Preview> {
  try {
    const begin = await bytes.read(0, PREVIEW)
    return { name, text: harmlessText(begin.toString()), cut: bytes.size > PREVIEW }
  } finally {
    await bytes.close()
  }
}

const harmlessText = (text: string): string =>
  text
    .split(/\r?\n/)
    .map(line => plainLine(Buffer.from(line)))
    .join('\n')

function artifact(c: Asked, path: string, bytes: Bytes): Promise<Response> {
  const type = typeOf(path)
  const name = path.slice(path.lastIndexOf('/') + 1)
  return ranged(c, bytes, {
    'Content-Type': type ?? 'application/octet-stream',
    'Content-Security-Policy': SANDBOX,
    // A report in its sandbox is of no origin, and yet may have its own style and pictures.
    'Cross-Origin-Resource-Policy': /^(image|text\/css)/.test(type ?? '') ? 'cross-origin' : 'same-origin',
    ...(type === undefined
      ? { 'Content-Disposition': `attachment; filename*=UTF-8''${encodeURIComponent(name)}` }
      : {}),
  })
}
