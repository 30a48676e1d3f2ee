import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { openBlobs } from '../../../master/farm/blobs.ts'
import { migrate } from '../../../master/farm/database.ts'
import { Retention } from '../../../master/farm/retention.ts'
import { Showcase } from '../../../master/farm/showcase.ts'
import { Farm } from '../../fixtures/farm.ts'

test('what RETENTION forgets leaves the pages of a farmer that runs, and nothing else does', async t => {
  const farm = await Farm.make(t)
  await migrate(farm.db)
  const put = (num: number, age: string) => farm.db`
    insert into result (num, project, ref, revision, version, label, directory, arch, params, limits, priority, made, verdict, ended)
    values (${num}, 'p', 'r', ${'a'.repeat(40)}, 'v', 'l', '', 'a', '{}', '{}', 0, now(), 'success', now() - ${age}::interval)`
  await put(1, '2 hours')
  await put(2, '1 minute')
  const showcase = new Showcase(farm.path('pages'), farm.db)
  const isShown = (num: number) =>
    existsSync(join(showcase.spool.tasks.old, `${num}:p:v:a`)) &&
    ['cur', 'old'].some(place => existsSync(farm.path(`pages/jobs/${place}/${num}:p:v:a`)))
  await showcase.refresh()
  t.same([1, 2].map(isShown), [true, true])

  process.env['RETENTION'] = '1h'
  const blobs = await openBlobs(farm.path('data'), 'http://127.0.0.1:1', 'a secret')
  const retention = new Retention(farm.db, blobs, before => showcase.hideBefore(before))
  retention.open()
  while (isShown(1)) await new Promise(done => setTimeout(done, 20))
  await retention.close()
  await showcase.refresh()
  t.same([1, 2].map(isShown), [false, true])
  t.same(
    (await farm.db<{ num: number }[]>`select num from result`).map(({ num }) => num),
    [2],
  )
})
