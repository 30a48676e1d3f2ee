// One farmer at work: its parts, put together behind one address.

import { rmSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'

import { serve } from '@hono/node-server'
import { Hono } from 'hono'

import { temporary } from '../../lib/base/exit.ts'
import { listenAddress, setting } from '../../lib/base/settings.ts'
import { listIfThere } from '../../lib/system/listing.ts'
import { warn } from '../../lib/system/log.ts'
import { startOf } from '../../lib/system/process.ts'
import { openBlobs } from './blobs.ts'
import { Checks } from './checks.ts'
import type { Database } from './database.ts'
import { Deliveries } from './deliveries.ts'
import { FarmFiles } from './farm-files.ts'
import { hooks } from './hooks.ts'
import { farmMetrics, queueJson } from './metrics.ts'
import { openPages } from './pages.ts'
import type { Pages } from './pages.ts'
import { poster } from './poster.ts'
import type { Projects } from './projects.ts'
import { Retention } from './retention.ts'
import { Showcase } from './showcase.ts'
import { unknown, workerApi } from './v1.ts'
import { Workers } from './workers.ts'

export interface Parts {
  readonly db: Database
  readonly projects: Projects
  /** The farmer's own directory. */
  readonly data: string
  /** The secret that workers show. */
  readonly secret: string | undefined
  readonly host: string
  readonly port: number
  /** How others reach it; by default where it listens. */
  readonly url: string | undefined
}

export interface Farm {
  readonly address: string
  close(): Promise<void>
}

/** Begins to work, and resolves when it listens. */
export async function openFarm(parts: Parts): Promise<Farm> {
  const { host, port } = parts
  const app = new Hono()
  // An app that has answered takes no more routes: whoever asks before it has all of them waits.
  let open: () => void = () => undefined
  const ready = new Promise<void>(done => (open = done))
  const fetch = async (request: Request, env: object) => {
    await ready
    return app.fetch(request, env)
  }
  const server = serve({ fetch, hostname: host, port })
  await new Promise<void>((done, failed) => {
    server.once('error', error => failed(temporary(`listen on '${setting('FARMER_LISTEN')}'`, error)))
    server.once('listening', done)
  })
  const bound = server.address()
  const number = typeof bound === 'object' && bound ? bound.port : port
  const address = listenAddress({ host, port: number })
  const close = () => {
    server.close()
    if ('closeAllConnections' in server) server.closeAllConnections()
  }
  try {
    const closeParts = await begin(app, parts, address, open)
    return {
      address,
      close: async () => {
        close()
        await closeParts()
      },
    }
  } catch (error) {
    close()
    throw error
  }
}

/**
 * Begins all that a farmer does, and returns how to end it. Calls `open` when requests are to be answered: pages of thousands
 * of results take seconds to lay out, and workers take a farmer for gone that says nothing for so long.
 */
async function begin(
  app: Hono,
  parts: Parts,
  address: string,
  open: () => void,
): Promise<() => Promise<void>> {
  const { db, projects, data, secret, host } = parts
  const workers = new Workers(db, name => projects.find(name)?.clone)
  const deliveries = new Deliveries(db, projects, data)
  const origin = parts.url ?? address
  const checks = new Checks(db, poster(projects, origin))
  const blobs = await openBlobs(data, origin, secret ?? 'loopback')
  app.onError((error, c) => {
    warn('serve', c.req.path, error)
    return c.json({ error: 'something failed here; the log of the farmer says what' }, 500)
  })
  app.route('/v1', workerApi(db, workers, blobs, secret))
  app.all('/:version{v[0-9]+}/*', unknown)
  app.route('/hooks', hooks(projects, deliveries))
  app.get('/healthz', async c => {
    await db`select 1`
    return c.text('ok\n')
  })
  app.get('/api/queue', async c => c.json(await queueJson(db)))
  app.get('/metrics', async c =>
    c.body(await farmMetrics(db, workers), 200, {
      'Content-Type': 'text/plain; version=0.0.4; charset=utf-8',
    }),
  )
  // The pages are the reporter's, so is what stands below all other paths.
  let show: (pages: Pages) => void = () => undefined
  const shown = new Promise<Pages>(done => (show = done))
  app.all('*', async c => (await shown).app.fetch(c.req.raw, c.env as object))
  await workers.open()
  await deliveries.open()
  await checks.open()
  open()
  const showcase = new Showcase(placeOfPages(join(data, 'pages')), db)
  const retention = new Retention(db, blobs, before => showcase.hideBefore(before))
  retention.open()
  const files = new FarmFiles(db, blobs)
  const pages = await openPages(db, deliveries, showcase, files, projects, data, [host], parts.url)
  show(pages)
  return async () => {
    workers.close()
    await deliveries.close()
    await checks.close()
    await retention.close()
    await pages.close()
    rmSync(showcase.spool.root, { recursive: true, force: true })
  }
}

/**
 * Where this farmer lays out its pages, named by its process. Removes what those have left that were killed: thousands of
 * files each, for which nobody waits.
 */
function placeOfPages(directory: string): string {
  const start = startOf('self')
  for (const name of start === '' ? [] : listIfThere(directory)) {
    const [pid = '', of] = name.split('.')
    const isLeft = /^\d+$/.test(pid) && startOf(Number(pid)) !== of
    const path = join(directory, name)
    if (isLeft)
      rm(path, { recursive: true, force: true }).catch((error: unknown) => warn('remove', path, error))
  }
  return join(directory, `${process.pid}.${start}`)
}
