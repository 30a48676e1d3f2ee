// What doctor says of deliveries: of those that nobody takes, and of what none of them told.

import { appendFileSync, renameSync, rmSync, utimesSync } from 'node:fs'
import { join } from 'node:path'

import { test } from 'tap'

import { checkDeliveries } from '../../../bin/doctor/deliveries.ts'
import { fetcher } from '../../../master/fetcher.ts'
import { settingsOfProject } from '../../../lib/conf/sourced.ts'
import { started } from '../../fixtures/forge-site.ts'
import type { ForgeSite } from '../../fixtures/forge-site.ts'
import { call } from '../../fixtures/in-process.ts'

async function doctor(site: ForgeSite): Promise<string[]> {
  const rc = join(site.spool.root, 'conf/hello/rc')
  const shown: string[] = []
  const main = async () => {
    const projects = [{ name: 'hello', rc, env: settingsOfProject(process.env, rc) }]
    for (const { check, ok, text, fix } of await checkDeliveries(site.spool, projects, 10))
      shown.push(`${check}${ok ? ':' : '!'} ${text}${fix === null ? '' : `; ${fix}`}`)
    return 0
  }
  await call({ main }, [], site.env)
  return shown
}

test('a delivery that was lost is said where nobody looks, and what to type makes its event', async t => {
  const { site, first } = await started(t, 'FORGE_POLL=0\nFORGE_TRUST=all\n')
  site.takeEvents()
  renameSync(site.path('spool/inbox/hello/tips'), site.path('tips'))
  t.same(await doctor(site), ['delivery: no fetcher has looked at the forge yet'])
  renameSync(site.path('tips'), site.path('spool/inbox/hello/tips'))
  t.same(await doctor(site), ['delivery: all that the forge has was heard of'])

  const head = site.commit()
  site.push('HEAD:refs/pull/7/head')
  await site.pulled({ head, base: first })
  t.same(await doctor(site), ['delivery: 1 delivery being worked off'])
  await site.fetch()
  t.same(await doctor(site), ['delivery: all that the forge has was heard of'])
  site.takeEvents()

  const next = site.commit()
  site.push('HEAD:refs/pull/7/head')
  await site.fetch()
  t.same(site.events(), {}, 'nothing tells of the new head')
  const lost = 'no delivery told of 1 ref that moved on the forge: refs/pull/7/head'
  t.same(await doctor(site), [`delivery! ${lost}; master/bin/fetcher --look hello`])
  const typed = await call(fetcher, ['--look', 'hello'], site.env)
  t.equal(typed.code, 0, typed.stderr)
  t.same(Object.keys(site.events()), [`refs/pull/7/head/${next}`])
  t.same(await doctor(site), ['delivery: all that the forge has was heard of'])

  for (let i = 1; i <= 4; i++) site.push(`HEAD:refs/heads/b${i}`)
  t.match(await doctor(site), [/^delivery! no delivery told of 4 refs .*: (refs\/heads\/b\d, ){3}\.\.\.; /])
  appendFileSync(join(site.spool.root, 'conf/hello/rc'), 'FORGE_POLL=5m\n')
  t.match(await doctor(site), [/^delivery: .* the next look of the fetcher finds that$/])
})

test('deliveries that no fetcher takes are said, and a forge that is away is left to other checks', async t => {
  const { site, first } = await started(t, 'FORGE_POLL=0\n')
  const next = site.commit()
  site.push('main')
  await site.pushed('refs/heads/main', first, next, 'X-1')
  const then = new Date(Date.now() - 3600_000)
  utimesSync(join(site.spool.root, 'inbox/hello/new/X-1'), then, then)
  t.match(await doctor(site), [
    /^delivery! 1 delivery in the inbox, the oldest came 1 h ago: .*; start master\/bin\/fetcher/,
  ])
  await site.fetch()
  rmSync(site.remote, { recursive: true })
  renameSync(join(site.spool.root, 'inbox/hello/tips'), site.path('tips'))
  t.match(await doctor(site), [
    /^forge! unable to look at .*; git ls-remote https:\/\/github\.com\/o\/r\.git$/,
  ])
  appendFileSync(join(site.spool.root, 'conf/hello/rc'), 'FORGE_TOKEN=a_token\n')
  t.same(await doctor(site), ['delivery: no fetcher has looked at the forge yet'])
  renameSync(site.path('tips'), join(site.spool.root, 'inbox/hello/tips'))
  t.match(await doctor(site), [/^delivery: not looked at: .*github\.com\/o\/r\.git/])
  rmSync(site.path('mirror.git'), { recursive: true })
  t.match(await doctor(site), [/^delivery: not looked at: /])
})
