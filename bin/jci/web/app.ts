// The addresses of `git jci web`. What a run stored is served so that it cannot act on our origin.

import { Readable } from 'node:stream'

import { Hono } from 'hono'
import type { Context } from 'hono'

import { gitEnvironment } from '../../../lib/git/process.ts'
import { readObjects } from '../runs/objects.ts'
import { isCommitId } from '../../../lib/git/commit-id.ts'
import { isRunId } from '../../../lib/jci/run-ref.ts'
import { warn } from '../../../lib/system/log.ts'
import { start } from '../../../lib/system/run.ts'
import { SANDBOX, typeOf } from '../../../lib/web/foreign.ts'
import { html } from '../../../lib/web/html.ts'
import { readStyle } from '../../../lib/web/style.ts'
import { isOurHost } from '../../../lib/web/our-host.ts'
import { findFile, RunsReader } from './data.ts'
import type { Detail } from './data.ts'
import { frame, panels, JCI_STYLE } from './pages.ts'
import type { FileView } from './pages.ts'

const POLICY =
  "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

/** Most bytes of a file on a page; all of it is one click away. */
const FILE_BYTES_SHOWN = 512 * 1024

/** The application for a repository. `names` are those by which browsers may call it. */
export function makeRunsApp(repository: string, names: readonly string[]): Hono {
  const app = new Hono()
  const style = readStyle() + JCI_STYLE
  app.use(async (c, next) => {
    if (!isOurHost(c.req.header('host'), names)) return c.text('no such host\n', 421)
    await next()
    const { headers } = c.res
    headers.set('X-Content-Type-Options', 'nosniff')
    headers.set('Referrer-Policy', 'no-referrer')
    if (!headers.has('Cache-Control')) headers.set('Cache-Control', 'no-store')
    if (!headers.has('Content-Security-Policy')) headers.set('Content-Security-Policy', POLICY)
    return undefined
  })
  app.onError((error, c) => {
    warn('answer', c.req.path, error)
    return c.text('git failed: see what the program says\n', 500)
  })
  app.notFound(c => c.html(frame('Not found', false, html`<h1>There is nothing of this name</h1>`), 404))

  app.get('/static/page.css', c => c.body(style, 200, { 'Content-Type': 'text/css; charset=utf-8' }))
  const reader = new RunsReader(repository)
  addApi(app, reader)
  addPages(app, repository, reader)
  return app
}

/** The routes for programs. */
function addApi(app: Hono, reader: RunsReader): void {
  app.get('/api/branches', async c => c.json(await reader.branches()))
  app.get('/api/commits', async c => {
    const branch = c.req.query('branch')
    if (!branch) return c.json({ error: 'branch is missing' }, 400)
    const { commits } = await reader.commits(branch, pageOf(c))
    return commits ? c.json(commits) : c.json({ error: 'no such branch' }, 404)
  })
  app.get('/api/commit/:hash/:run?', async c => {
    const detail = await find(reader, c.req.param('hash'), c.req.param('run'))
    if (!detail) return c.json({ error: 'no such run' }, 404)
    const { hash, author, date, status, files, ref, runId, runs } = detail
    return c.json({ hash, author, date, status, files, ref, runId, runs })
  })
}

/** The routes for people: branches, their commits, a run and one of its files; and the file itself. */
function addPages(app: Hono, repository: string, reader: RunsReader): void {
  app.get('/jci/*', async c => {
    const where = parsePath(new URL(c.req.url).pathname)
    const detail = where && (await find(reader, where.hash, where.run))
    if (!detail) return c.notFound()
    if (where.raw) return raw(c, repository, detail, where.file)
    if (detail.unread !== undefined) return page(c, detail)
    const file = where.file === '' ? undefined : await view(repository, detail, where.file)
    if (where.file !== '' && !file) return c.notFound()
    return page(c, detail, file)
  })
  app.get('/', c => page(c))

  async function page(c: Context, detail?: Detail, file?: FileView): Promise<Response> {
    const { branches, commits } = await reader.commits(c.req.query('branch'), pageOf(c))
    if (!commits && branches.length > 0) return c.notFound()
    return c.html(panels({ branches, commits, detail, file }))
  }
}

async function find(reader: RunsReader, hash: string, run?: string): Promise<Detail | undefined> {
  return isCommitId(hash) && (run === undefined || isRunId(run)) ? reader.run(hash, run) : undefined
}

async function view(repository: string, detail: Detail, path: string): Promise<FileView | undefined> {
  const found = await findFile(repository, detail.id, path)
  if (!found) return undefined
  const { blob, size } = found
  if (size !== undefined && size > 64 * FILE_BYTES_SHOWN)
    return { path, text: undefined, why: 'It is too large to be shown here.' }
  const body = (await readObjects(repository, [blob]))[0]?.body
  if (!body) return { path, text: undefined, why: 'Git cannot read it: it is damaged.' }
  const cut = body.length > FILE_BYTES_SHOWN
  const bytes = cut ? body.subarray(-FILE_BYTES_SHOWN) : body
  return bytes.includes(0)
    ? { path, text: undefined, why: 'This is no text.' }
    : { path, text: bytes.toString(), cut }
}

async function raw(c: Context, repository: string, detail: Detail, path: string): Promise<Response> {
  const found = await findFile(repository, detail.id, path)
  if (!found) return c.notFound()
  if (found.size === undefined) return c.text('git cannot read it: it is damaged\n', 500)
  const type = typeOf(path)
  const headers = {
    'Content-Type': type ?? 'application/octet-stream',
    'Content-Length': String(found.size),
    'Content-Security-Policy': SANDBOX,
    'Cross-Origin-Resource-Policy': 'same-origin',
    ...(type === undefined ? { 'Content-Disposition': 'attachment' } : {}),
  }
  // Nobody would read what git says.
  if (c.req.method === 'HEAD') return c.body(null, 200, headers)
  const git = start(['git', '-C', repository, 'cat-file', 'blob', found.blob], {
    env: gitEnvironment(),
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  git.on('error', () => git.stdout.destroy())
  git.stdout.on('close', () => git.kill())
  return c.body(Readable.toWeb(git.stdout) as ReadableStream, 200, headers)
}

function pageOf(c: Context): number {
  const text = c.req.query('page') ?? '0'
  return /^\d{1,6}$/.test(text) ? Number(text) : 0
}

interface Where {
  readonly hash: string
  readonly run?: string
  /** Empty for the run itself. */
  readonly file: string
  readonly raw: boolean
}

/** Reads `/jci/HASH[/RUNID][/FILE...][/raw]`; undefined if that is none. Pure. */
export function parsePath(path: string): Where | undefined {
  let parts: string[]
  try {
    parts = path.split('/').slice(2).map(decodeURIComponent)
  } catch {
    return undefined
  }
  const [hash = '', ...rest] = parts
  const run = isRunId(rest[0] ?? '') ? rest.shift() : undefined
  const raw = rest.length > 1 && rest.at(-1) === 'raw'
  const file = (raw ? rest.slice(0, -1) : rest).join('/').replace(/\/$/, '')
  return { hash, ...(run === undefined ? {} : { run }), file, raw }
}
