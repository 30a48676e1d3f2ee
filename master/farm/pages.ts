// The pages of a farmer: the reporter's, over the showcase. To cancel and to retry are the database's to do.

import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'

import type { Hono } from 'hono'

import { lasting } from '../../lib/base/exit.ts'
import { warn, warnOnce } from '../../lib/system/log.ts'
import { makeApp } from '../web/app.ts'
import type { Wishes } from '../web/app.ts'
import { readAssets } from '../web/assets.ts'
import { openAuth } from '../web/auth.ts'
import { Site } from '../web/site/site.ts'
import type { Database } from './database.ts'
import { mirrorOf } from './projects.ts'
import type { Showcase } from './showcase.ts'

/** Between two looks at the database at least, and at most, in milliseconds. */
const PAUSE = 200
const LOOK = 5000

export interface Pages {
  readonly app: Hono
  close(): Promise<void>
}

/** `names`: those of this host. `data`: the farmer's directory, for what its mirrors say of commits. */
export async function openPages(
  db: Database,
  showcase: Showcase,
  data: string,
  names: readonly string[],
  origin: string | undefined,
): Promise<Pages> {
  await showcase.refresh()
  const site = new Site(showcase.spool, 30_000, project => mirrorOf(data, project))
  await site.open()
  let closed = false
  let wake: () => void = () => undefined
  await db.listen('farm_change', () => wake())
  await db.listen('farm_live', attempt => {
    showcase.follow(attempt).catch((error: unknown) => warnOnce('follow', attempt, error))
  })
  const loop = (async () => {
    let bell = new Promise<void>(done => (wake = done))
    while (!closed) {
      await Promise.race([bell, sleep(LOOK, undefined, { ref: false })])
      // What rings from now on is heard in the next round.
      bell = new Promise<void>(done => (wake = done))
      await showcase.refresh().catch((error: unknown) => warnOnce('show', 'the farm', error))
      await sleep(PAUSE, undefined, { ref: false })
    }
  })()
  const wishes: Wishes = {
    cancel: async ({ num, name }) => {
      const [row] = await db<
        { n: number }[]
      >`select cancel(array[${num}]::bigint[], 'somebody cancelled it') as n`
      if (row!.n === 0) throw lasting(`cancel '${name}'`, 'it is over')
      await showcase.refresh()
    },
    retry: async ({ num, name }) => {
      const [row] = await db<{ again: number | null }[]>`select retry(${num}) as again`
      if (row!.again === null) throw lasting(`retry '${name}'`, 'it is not over')
      await showcase.refresh()
      return row!.again
    },
    // What a page of a job shows is fetched before it is made.
    look: async (num, file) => {
      try {
        await showcase.open(num)
        if (file !== undefined) await showcase.openFile(num, `artifacts/${file}`)
      } catch (error) {
        warn('fetch the files of', String(num), error)
      }
      site.changed()
    },
  }
  const app = makeApp(site, openAuth(), readAssets(), [...names, hostname()], origin, wishes)
  return {
    app: app as unknown as Hono,
    close: async () => {
      closed = true
      wake()
      await loop
      await site.close()
    },
  }
}
