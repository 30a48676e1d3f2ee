// The pages of a farmer: the reporter's, over the showcase and the files of the farm. To cancel and to retry are the
// database's to do.

import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'

import type { Hono } from 'hono'

import { lasting, quote } from '../../lib/base/exit.ts'
import { parseTaskName, renumber } from '../../lib/spool/task-name.ts'
import { warn, warnOnce } from '../../lib/system/log.ts'
import { makeApp } from '../web/app.ts'
import { readAssets } from '../web/assets.ts'
import { openAuth } from '../web/auth.ts'
import type { Wishes } from '../web/routes/ground.ts'
import { Site } from '../web/site/site.ts'
import type { Database } from './database.ts'
import type { Deliveries } from './deliveries.ts'
import type { FarmFiles } from './farm-files.ts'
import { mirrorOf } from './projects.ts'
import type { Projects } from './projects.ts'
import type { Showcase } from './showcase.ts'

/** Between two looks at the database at least, and at most, in milliseconds. */
const REFRESH_MIN_MS = 200
const REFRESH_MAX_MS = 5000
/** Results of one revision that are laid out, at most. */
const RECALLED = 100

export interface Pages {
  readonly app: Hono
  close(): Promise<void>
}

/** `names`: those of this host. `data`: the farmer's directory, for what its mirrors say of commits. */
export async function openPages(
  db: Database,
  deliveries: Deliveries,
  showcase: Showcase,
  files: FarmFiles,
  projects: Projects,
  data: string,
  names: readonly string[],
  origin: string | undefined,
): Promise<Pages> {
  await showcase.refresh()
  const site = new Site(
    showcase.spool,
    30_000,
    project => mirrorOf(data, project),
    project => projects.findIfWell(project)?.forge,
    files,
    'worker',
  )
  await site.open()
  let closed = false
  let wake: () => void = () => undefined
  await db.listen('farm_change', () => wake())
  await db.listen('farm_live', attempt => files.ring(attempt))
  const loop = (async () => {
    let bell = new Promise<void>(done => (wake = done))
    while (!closed) {
      await Promise.race([bell, sleep(REFRESH_MAX_MS, undefined, { ref: false })])
      // A bell from now on is heard in the next round.
      bell = new Promise<void>(done => (wake = done))
      await showcase.refresh().catch((error: unknown) => warnOnce('show', 'the farm', error))
      await sleep(REFRESH_MIN_MS, undefined, { ref: false })
    }
  })()
  const app = makeApp(
    site,
    openAuth(),
    readAssets(),
    [...names, hostname()],
    origin,
    wishesOf(db, deliveries, showcase, site),
  )
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

/** Requests of people, answered by the database. */
const wishesOf = (db: Database, deliveries: Deliveries, showcase: Showcase, site: Site): Wishes => ({
  cancel: async ({ num, name }) => {
    const last = await lastOf(db, num)
    const why = 'somebody cancelled it'
    const [row] = await db<{ n: number }[]>`select cancel(array[${last}]::bigint[], ${why}) as n`
    await showcase.refresh()
    const over = lasting(`cancel ${quote(name)}`, 'it is over').message
    return { name: renumber(last, parseTaskName(name)!), refused: row!.n === 0 ? over : null }
  },
  retry: async ({ num, name }) => {
    const [row] = await db<{ again: number | null }[]>`select retry(${await lastOf(db, num)}) as again`
    if (row!.again === null) throw lasting(`retry ${quote(name)}`, 'it is not over')
    await showcase.refresh()
    return renumber(row!.again, parseTaskName(name)!)
  },
  approve: ({ project, number, revision }) => deliveries.approve(project, String(number), revision),
  recall: async text => {
    try {
      const nums = await olderTasks(db, text)
      const laidOut = await Promise.all(nums.map(num => showcase.layOut(num)))
      if (laidOut.includes(true)) site.changed()
    } catch (error) {
      warn('look for the task', text, error)
    }
  },
  isComing: async text => {
    if (!/^[0-9a-f]{4,64}$/.test(text)) return false
    const [row] = await db<{ coming: boolean }[]>`
      select exists (select from delivery where body is not null and position(${text} in encode(body, 'escape')) > 0) as coming`
    return row!.coming
  },
})

/** The last of what a job was retried as, or itself. */
async function lastOf(db: Database, num: number): Promise<number> {
  const [row] = await db<{ last: number }[]>`
    with recursive line (num) as (
      select ${num}::bigint union all select retried_as from result join line using (num) where retried_as is not null
    ) select max(num) as last from line`
  return row!.last
}

/** The numbers of the results that `text` may mean: a number, a name, or the beginning of a revision. */
async function olderTasks(db: Database, text: string): Promise<number[]> {
  const number = /^(\d{1,15})(?::|$)/.exec(text)?.[1]
  if (number !== undefined) return [Number(number)]
  if (!/^[0-9a-f]{4,64}$/.test(text)) return []
  const rows = await db<{ num: number }[]>`
    select num from result where revision >= ${text} and revision < ${text + 'g'} order by num desc limit ${RECALLED}`
  return rows.map(({ num }) => num)
}
