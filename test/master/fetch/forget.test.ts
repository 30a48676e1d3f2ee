// What the fetcher forgets, and that nothing is made twice because of it.

import { readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { doneDeliveries, removeDeliveries } from '../../../lib/spool/deliveries.ts'
import { inboxOf } from '../../../master/receive/inbox.ts'
import { forgetOld } from '../../../master/fetch/forget.ts'
import { started } from '../../fixtures/forge-site.ts'
import type { ForgeSite } from '../../fixtures/forge-site.ts'

const HEAD = 'refs/pull/7/head'

/** Forgets, as a fetcher does after so many days. */
const forget = (site: ForgeSite, days = 0) => {
  const inbox = inboxOf(site.spool, 'hello')
  forgetOld(inbox, Date.now() + days * 24 * 3600_000)
}

/** The events that are remembered, without their deliveries. */
const remembered = (site: ForgeSite) =>
  Object.values(site.files('inbox/hello/made'))
    .map(text => text.trim().split('\n')[1]!)
    .sort()

/** As `bass prune` does it, or the fetcher after RETENTION. */
const pruneDone = (site: ForgeSite) => removeDeliveries(site.spool, doneDeliveries(site.spool, Infinity))

test('an event is remembered while its delivery is kept, and while its ref is where it was', async t => {
  const { site, first } = await started(t, 'FORGE_POLL=0\n')
  const next = site.commit()
  site.push('main')
  await site.pushed('refs/heads/main', first, next, 'the-next')
  site.git(site.work, 'tag', '-m', 'annotated', 'v1')
  site.push('v1')
  await site.pushed('refs/tags/v1', null, next)
  await site.fetch()
  const all = [`0 ${first} refs/heads/main`, `0 ${next} refs/heads/main`, `0 ${next} refs/tags/v1`].sort()
  forget(site, 1000)
  t.same(remembered(site), all)
  site.takeEvents()
  pruneDone(site)
  t.match(await site.pushed('refs/heads/main', first, next, 'the-next'), { status: 202, text: /stored/ })
  await site.fetch()
  t.same(site.takeEvents(), [], 'a delivery that was pruned comes again before anything is forgotten')
  pruneDone(site)
  forget(site)
  t.same(
    remembered(site),
    all.slice(0).filter(text => !text.includes(first)),
  )

  t.match(await site.pushed('refs/heads/main', first, next, 'the-next'), { status: 202, text: /stored/ })
  await site.pushed('refs/heads/main', first, next, 'another')
  await site.pushed('refs/tags/v1', null, next)
  await site.fetch()
  t.same(site.takeEvents(), [], 'a late redelivery makes nothing twice')
  site.push(`+${first}:main`)
  await site.pushed('refs/heads/main', next, first)
  await site.fetch()
  t.same(site.takeEvents(), [`refs/heads/main/${first}`], 'what was forgotten is made once more')
})

test('an event that was made again is forgotten with the one before it, or not at all', async t => {
  const { site, first } = await started(t, 'FORGE_POLL=0\n')
  const next = site.commit()
  const move = async (from: string, to: string) => {
    site.takeEvents()
    site.push(`+${to}:main`)
    await site.pushed('refs/heads/main', from, to)
    await site.fetch()
  }
  await move(first, next)
  await move(next, first)
  t.same(
    remembered(site).filter(text => text.includes(first)),
    [`0 ${first} refs/heads/main`, `1 ${first} refs/heads/main`],
  )
  pruneDone(site)
  forget(site)
  t.equal(remembered(site).length, 2, 'both of where the branch is')
  await move(first, next)
  forget(site)
  t.same(remembered(site), [`0 ${next} refs/heads/main`])
  for (let i = 0; i < 2; i++) {
    await move(next, first)
    t.same(Object.keys(site.events()), [`refs/heads/main/${first}`])
    await move(first, next)
  }
})

test('a closed change is forgotten after a month, and its event then', async t => {
  const { site, first } = await started(t, 'FORGE_POLL=0\n')
  const head = site.commit()
  site.push(`${head}:${HEAD}`)
  const opened = { head, base: first, fork: false, updated: '2026-01-01T00:00:00Z' }
  await site.pulled(opened)
  await site.pulled({ ...opened, action: 'closed', updated: '2026-01-01T00:00:01Z' })
  await site.fetch()
  pruneDone(site)
  site.takeEvents()
  forget(site, 29)
  t.equal(site.ls('spool/inbox/hello/changes').length, 1)
  await site.pulled({ ...opened, id: 'late' })
  await site.fetch()
  t.same(site.takeEvents(), [], 'its delivery comes again')
  forget(site, 31)
  t.same(site.ls('spool/inbox/hello/changes'), [])
  pruneDone(site)
  forget(site)
  t.same(remembered(site), [`0 ${first} refs/heads/main`])
})

test('a change that is open is never forgotten, nor what an earlier version has written', async t => {
  const { site, first } = await started(t, 'FORGE_POLL=0\n')
  const head = site.commit()
  site.push(`${head}:${HEAD}`)
  await site.pulled({ head, base: first, fork: true })
  await site.fetch()
  pruneDone(site)
  const old = site.path('spool/inbox/hello/made/0123')
  writeFileSync(old, 'an-id\n')
  utimesSync(old, 1, 1)
  forget(site, 1000)
  t.equal(readFileSync(old, 'utf8'), 'an-id\n')
  t.equal(site.ls('spool/inbox/hello/changes').length, 1)
  t.ok(site.ls('spool/inbox/hello/made').length > 1)
  await site.pulled({ action: 'synchronize', head, base: first, fork: true })
  await site.fetch()
  t.same(Object.keys(site.files(join('held', 'hello'))), [`${HEAD}/${head}`])
})
