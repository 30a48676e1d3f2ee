// The endpoints for workers, below `/v1/`.

import { Readable } from 'node:stream'

import { Hono } from 'hono'
import type { Context, MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'

import { FILES_MAX, isFilePath, JSON_MAX, NOTES_MAX, OUTPUT_MAX } from '../../lib/farm/protocol.ts'
import type { About, Alive, JobFile, Registered, Registration, Result } from '../../lib/farm/protocol.ts'
import { VERDICTS } from '../../lib/spool/job.ts'
import { isPart } from '../../lib/spool/task-name.ts'
import { STEP_STATES } from '../../lib/view/view.ts'
import { isSameSecret } from '../../lib/base/same.ts'
import { sayOnce } from '../../lib/system/log.ts'
import { version } from '../../lib/system/version.ts'
import type { Blobs } from './blobs.ts'
import { Files, keyOf } from './blobs.ts'
import type { Database } from './database.ts'
import { Ends } from './ends.ts'
import { keepLive } from './live-bytes.ts'
import { NotNow } from './workers.ts'
import type { Workers } from './workers.ts'

/** A request that says what nobody can mean; it is answered with 400 and this sentence. */
class Bad extends Error {}

// eslint-disable-next-line no-control-regex -- These are what is looked for.
const CONTROL = /[\x00-\x1f\x7f]/g

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** `secret`: what workers show; undefined lets everybody in, for a farmer that listens on loopback alone. */
export function workerApi(db: Database, workers: Workers, blobs: Blobs, secret: string | undefined): Hono {
  const app = new Hono()
  app.onError((error, c) => {
    if (error instanceof Bad) return c.json({ error: error.message }, 400)
    if (error instanceof NotNow) return c.json({ error: error.message }, 503)
    throw error
  })

  // A file for a signed address needs no secret, and is as long as its signature says.
  app.put('/files', async c => {
    const signed = blobs instanceof Files ? blobs.verify(new URL(c.req.url).searchParams) : undefined
    if (!signed || !(blobs instanceof Files))
      return c.json({ error: 'this address is not signed, or too old' }, 403)
    const body = c.req.raw.body
    const stored = await blobs.put(
      signed.key,
      signed.size,
      body ? Readable.fromWeb(body as never) : Readable.from([]),
    )
    return stored ? c.json({}) : c.json({ error: 'the address is signed for another size' }, 400)
  })

  app.use(async (c, next) => {
    const given = /^Bearer (.+)$/.exec(c.req.header('authorization') ?? '')?.[1]
    if (secret !== undefined && !isSameSecret(given, secret))
      return c.json({ error: 'the secret is wrong' }, 401)
    return next()
  })
  const [ofOutput, ofJson] = [limitBody(OUTPUT_MAX), limitBody(JSON_MAX)]
  app.use((c, next) => (c.req.path.endsWith('/output') ? ofOutput : ofJson)(c, next))

  workerRoutes(app, db, workers)
  runRoutes(app, db, workers, blobs)
  app.all('*', unknown)
  return app
}

/** Answers a worker that asks what this farmer does not know. */
export function unknown(c: Context): Response {
  const { pathname } = new URL(c.req.url)
  const error = `a farmer of version ${version()} does not know ${pathname.slice(0, 100)}: worker and farmer are too far apart`
  return c.json({ error }, 404)
}

/** Registration, work and signs of life. */
function workerRoutes(app: Hono, db: Database, workers: Workers): void {
  app.post('/workers', async c => {
    const about = readRegistration(await jsonOf(c))
    const ours = version()
    if (about.version !== ours)
      sayOnce(`the worker on ${about.host} is of version ${about.version}, this farmer of ${ours}`)
    const worker = await workers.register(about)
    return c.json({ worker, version: ours } satisfies Registered, 201)
  })
  app.delete('/workers/:id', async c => {
    // A worker that leaves gives back what it has; that is nobody's fault.
    const worker = uuid(c.req.param('id'), 'worker')
    await db`select lose(array[${worker}]::uuid[], false, 'its worker gave it back')`
    return c.json({})
  })
  app.get('/work', async c => {
    const work = await workers.work(uuid(c.req.query('worker'), 'worker'), c.req.raw.signal)
    if (work === 'gone') return gone(c)
    return work ? c.json(work) : c.body(null, 204)
  })
  app.post('/alive', async c => {
    const word = await workers.alive(readAlive(await jsonOf(c)))
    return word === 'gone' ? gone(c) : c.json(word)
  })
}

/** Files, output and result of the job that a worker runs. */
function runRoutes(app: Hono, db: Database, workers: Workers, blobs: Blobs): void {
  const ends = new Ends(db)
  app.get('/runs/:attempt/word', async c => {
    const attempt = uuid(c.req.param('attempt'), 'attempt')
    const word = await workers.word(attempt, c.req.query('watched') === '1', c.req.raw.signal)
    if (word === 'gone') return gone(c)
    return word ? c.json(word) : c.body(null, 204)
  })
  app.post('/runs/:attempt/files', async c => {
    const attempt = uuid(c.req.param('attempt'), 'attempt')
    const files = readFiles((await jsonOf(c))['files'])
    const [run] = await db<{ job: number }[]>`select job from run where attempt = ${attempt}`
    if (!run) return gone(c)
    const pairs = await Promise.all(
      files.map(async ({ path, size }) => [
        path,
        await blobs.addressFor(keyOf(run.job, attempt, path), size),
      ]),
    )
    return c.json({ addresses: Object.fromEntries(pairs) as Record<string, string> })
  })
  app.put('/runs/:attempt/output', async c => {
    const attempt = uuid(c.req.param('attempt'), 'attempt')
    const bytes = Buffer.from(await c.req.arrayBuffer())
    return takeOutput(c, db, attempt, bytes)
  })
  app.post('/runs/:attempt/result', async c => {
    const attempt = uuid(c.req.param('attempt'), 'attempt')
    const stands = await ends.end(attempt, readResult(await jsonOf(c)))
    return stands === null ? gone(c) : c.json({ verdict: stands })
  })
  // A worker that fails gives its job back, and counts as lost; one that is told to stop leaves with DELETE.
  app.post('/runs/:attempt/lost', async c => {
    const attempt = uuid(c.req.param('attempt'), 'attempt')
    const { why } = readWhy(await jsonOf(c))
    const [row] = await db<{ n: number }[]>`
      select lose(array(select worker from run where attempt = ${attempt}), true, ${why ?? null}) as n`
    return row!.n > 0 ? c.json({}) : gone(c)
  })
}

const gone = (c: Context) => c.json({ error: 'it does not stand any more' }, 410)

/** Answers 413 to a body of more bytes. One whose length is announced is not looked at: there are hundreds a second. */
function limitBody(max: number): MiddlewareHandler {
  const counted = bodyLimit({ maxSize: max, onError: tooLarge })
  return async (c, next) => {
    if (c.req.method === 'GET') return next()
    const length = Number(c.req.header('content-length') ?? NaN)
    if (length > max) return tooLarge(c)
    return length >= 0 ? next() : counted(c, next)
  }
}

const tooLarge = (c: Context) => c.json({ error: 'the body is too large' }, 413)

/** Takes output of a step. What is not wanted is answered with the place from which it is. */
async function takeOutput(c: Context, db: Database, attempt: string, bytes: Buffer): Promise<Response> {
  const { stream = '', at: text = '', ...query } = c.req.query()
  const step = line(query['step'], 'step', 255)
  if (!['out', 'err'].includes(stream) || !/^\d{1,15}$/.test(text))
    throw new Bad('stream and at are to say what this is')
  const [at, end] = [Number(text), await keepLive(db, attempt, step, stream, Number(text), bytes)]
  if (end === undefined) return gone(c)
  return c.json({ at: end }, end === at + bytes.length ? 200 : 409)
}

type Json = Record<string, unknown>

async function jsonOf(c: Context): Promise<Json> {
  const value: unknown = await c.req.json().catch(() => undefined)
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Bad('the body is not JSON')
  return value as Json
}

const object = (value: unknown): Json => (typeof value === 'object' && value !== null ? (value as Json) : {})

function uuid(value: unknown, what: string): string {
  if (typeof value !== 'string' || !UUID.test(value)) throw new Bad(`${what} is no id`)
  return value
}

function line(value: unknown, what: string, max = 300): string {
  // eslint-disable-next-line no-control-regex -- These are what is looked for.
  if (typeof value !== 'string' || value === '' || value.length > max || /[\x00-\x1f\x7f]/.test(value))
    throw new Bad(`${what} is not a line of text`)
  return value
}

function part(value: unknown, what: string): string {
  const text = line(value, what, 100)
  if (!isPart(text)) throw new Bad(`${what} '${text}' is not made of letters, digits and ._+~@- alone`)
  return text
}

function readRegistration(json: Json): Registration {
  const labels = json['labels'] ?? []
  if (!Array.isArray(labels) || labels.length > 50) throw new Bad('labels is no list')
  return {
    host: part(json['host'], 'host'),
    slot: line(json['slot'], 'slot'),
    arch: part(json['arch'], 'arch'),
    labels: labels.map(label => part(label, 'a label')),
    version: line(json['version'], 'version', 50),
  }
}

function readAlive(json: Json): Alive {
  const steps = json['steps']
  return {
    worker: uuid(json['worker'], 'worker'),
    ...(json['attempt'] === undefined ? {} : { attempt: uuid(json['attempt'], 'attempt') }),
    ...(steps === undefined ? {} : { steps: readSteps(steps) }),
    ...readAbout(json),
  }
}

function readSteps(value: unknown): Result['steps'] {
  if (!Array.isArray(value) || value.length > 1000) throw new Bad('steps is no list')
  return value.map((one: unknown) => {
    const step = object(one)
    const number = (key: string) => (typeof step[key] === 'number' ? step[key] : null)
    const state = STEP_STATES.find(word => word === step['state'])
    if (!state) throw new Bad('a step has no state')
    const signal = step['signal']
    return {
      name: line(step['name'], 'the name of a step', 255),
      state,
      exit: number('exit'),
      signal: typeof signal === 'string' && /^\w{1,16}$/.test(signal) ? signal : null,
      started: number('started'),
      ended: number('ended'),
      seconds: number('seconds'),
    }
  })
}

function readFiles(value: unknown): JobFile[] {
  if (!Array.isArray(value) || value.length > FILES_MAX)
    throw new Bad(`files is no list of at most ${FILES_MAX}`)
  return value.map((one: unknown) => {
    const file = object(one)
    const [path, size] = [file['path'], file['size']]
    if (!isFilePath(path)) throw new Bad('the path of a file leads elsewhere')
    if (!Number.isSafeInteger(size) || (size as number) < 0) throw new Bad('a file has no size')
    return { path, size: size as number }
  })
}

/** In a worker's words, which may be none. */
function readWhy({ why }: Json): { readonly why?: string } {
  return typeof why === 'string' && why !== '' ? { why: why.replaceAll('\0', '').slice(0, 2000) } : {}
}

/** What does not look like it is left out: no verdict is refused for a remark. */
function readAbout({ about }: Json): { readonly about?: About } {
  const { place, notes } = object(about)
  const text = (value: unknown) =>
    typeof value === 'string' && value.replace(CONTROL, ' ').trim().slice(0, 1000)
  const [where, remarks] = [text(place), Array.isArray(notes) ? notes.slice(0, NOTES_MAX).map(text) : []]
  const told = {
    ...(where ? { place: where } : {}),
    notes: remarks.filter(note => note !== false && note !== ''),
  }
  return about === undefined ? {} : { about: told as About }
}

function readResult(json: Json): Result {
  const verdict = VERDICTS.find(word => word === json['verdict'])
  if (!verdict) throw new Bad('there is no such verdict')
  return {
    verdict,
    ...readWhy(json),
    steps: readSteps(json['steps'] ?? []),
    files: readFiles(json['files'] ?? []),
    ...readAbout(json),
  }
}
