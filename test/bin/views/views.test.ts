// Verbs find the same work wherever it is kept: in a spool, behind a reporter, behind a farmer.

import { setTimeout as sleep } from 'node:timers/promises'

import { test } from 'tap'

import { RemoteViews } from '../../../bin/views/remote-views.ts'
import { SpoolViews } from '../../../bin/views/spool-views.ts'
import { serve } from '../../fixtures/browser.ts'
import { Farm, TOKEN } from '../../fixtures/farm.ts'
import { Sandbox } from '../../fixtures/sandbox.ts'
import { keepInFarm, keepInSpool } from '../../fixtures/views-kept.ts'
import { keepsPromises } from '../../fixtures/views-promises.ts'

test('a spool keeps the promises of views', async t => {
  const sandbox = new Sandbox(t)
  const write = keepInSpool(sandbox)
  Object.assign(process.env, { LOST_AFTER: '60' })
  await keepsPromises(t, { views: new SpoolViews(sandbox.spool), write })
})

test('a reporter keeps them over HTTP', async t => {
  const sandbox = new Sandbox(t)
  const write = keepInSpool(sandbox)
  const { url } = await serve(sandbox, { REPORTER_TOKEN: TOKEN, LOST_AFTER: '60' })
  await keepsPromises(t, { views: new RemoteViews(url, TOKEN), write })
})

test('a farmer keeps them over HTTP', async t => {
  const farm = await Farm.make(t)
  const { url } = await farm.farmer()
  const write = await keepInFarm(farm)
  const views = new RemoteViews(url, TOKEN)
  while (!(await views.look('5:p:v2:arm'))) await sleep(50)
  await keepsPromises(t, { views, write })
})
