// What a look at the forge finds, and finds once.

import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import type { Test } from 'tap'

import { openTasks } from '../../../lib/spool/spool.ts'
import { Fetching } from '../../../master/fetch/fetching.ts'
import { forgeProjects } from '../../../master/fetch/project.ts'
import { call } from '../../fixtures/in-process.ts'
import { started } from '../../fixtures/forge-site.ts'
import { StandIn } from '../../fixtures/forges/stand-in.ts'

test('a change that is closed, or was never heard of, is not found again by each look', async t => {
  const { site, first } = await started(t)
  const head = site.commit()
  site.push('HEAD:refs/pull/7/head')
  await site.pulled({ action: 'closed', head, base: first })
  const done = () => Object.keys(site.files('inbox/hello/done')).filter(path => path.endsWith('/plan')).length
  await site.fetch()
  const before = done()
  for (let i = 0; i < 2; i++) await site.fetch()
  t.equal(done(), before)
  site.commit()
  site.push('HEAD:refs/pull/7/head')
  for (let i = 0; i < 3; i++) await site.fetch()
  t.equal(done(), before + 1, 'it moved on while it was closed, once')
  site.git(site.remote, 'update-ref', '-d', 'refs/pull/7/head')
  for (let i = 0; i < 3; i++) await site.fetch()
  t.equal(done(), before + 2, 'its ref is gone, once')
})

const HEAD = 'refs/pull/7/head'

/** A site with a stand-in for the API of its forge, where change 7 is open, and built. */
async function asked(t: Test) {
  const { site, first } = await started(t)
  const standIn = await StandIn.open(t, 'github')
  const rc = join(site.spool.root, 'conf/hello/rc')
  writeFileSync(rc, `${readFileSync(rc, 'utf8')}FORGE='${standIn.forge}'\nFORGE_TOKEN=t\n`)
  writeFileSync(site.path('.gitconfig'), `[url "${site.path('forge')}/"]\n\tinsteadOf = ${standIn.url}/\n`)
  const head = site.commit()
  site.push(`HEAD:${HEAD}`)
  const pull = (state: 'open' | 'closed', updated: string, target = 'main') =>
    standIn.pulls.set(7, {
      number: 7,
      title: 'A title',
      state,
      updated_at: updated,
      user: { login: 'grace', id: 9 },
      author_association: 'MEMBER',
      base: { sha: first, ref: target, repo: { id: 1 } },
      head: { sha: head, ref: 'topic', repo: { id: 1 } },
    })
  pull('open', '2026-01-01T00:00:00Z')
  site.takeEvents()
  await site.fetch()
  t.same(site.takeEvents(), [`${HEAD}/${head}`])
  return { site, standIn, head, pull }
}

/** A task of the change that waits; answers whether it was cancelled. */
function waiting(site: Awaited<ReturnType<typeof asked>>['site'], head: string): () => boolean {
  const path = join(site.spool.tasks.cur, '1:hello:v:testarch')
  mkdirSync(path)
  writeFileSync(join(path, 'code-revision.txt'), `${head}\n`)
  writeFileSync(join(path, 'ref.txt'), `${HEAD}\n`)
  writeFileSync(join(path, 'params.txt'), 'CHANGE=7\n')
  return () => site.ls('spool/tasks/cur', '1:hello:v:testarch').includes('cancel')
}

test('a change that was closed, of which no delivery told, is closed by a look, and so is one that was opened again', async t => {
  const { site, standIn, head, pull } = await asked(t)
  const isCancelled = waiting(site, head)
  await site.fetch()
  t.equal(isCancelled(), false)
  pull('closed', '2026-01-01T00:00:01Z')
  await site.fetch()
  t.equal(isCancelled(), true)
  const state = () => JSON.parse(site.files('inbox/hello/changes')['7']!) as { open: boolean; head: string }
  t.match(state(), { open: false, head })
  const records = () => site.ls('spool/inbox/hello/done').length
  const before = records()
  await site.fetch()
  t.equal(records(), before, 'once')
  pull('open', '2026-01-01T00:00:02Z')
  await site.fetch()
  t.match(state(), { open: true, head })
  t.same(site.takeEvents(), [`${HEAD}/${head}`], 'what was cancelled is built again')
  standIn.pulls.delete(7)
  await site.fetch()
  t.match(state(), { open: false }, 'one that is not there any more')
  t.same(standIn.lies, [])
})

test('another target of a change, of which no delivery told, is found by a look, once', async t => {
  const { site, head, pull } = await asked(t)
  site.push(`${head}~1:refs/heads/old`)
  await site.fetch()
  site.takeEvents()
  pull('open', '2026-01-01T00:00:01Z', 'old')
  await site.fetch()
  t.match(site.events()[`${HEAD}/${head}`], /^TARGET=old$/m)
  site.takeEvents()
  await site.fetch()
  t.same(site.takeEvents(), [])
})

test('a change whose ref is gone is closed only if the forge says so, and one is asked about alone', async t => {
  const { site, standIn, head, pull } = await asked(t)
  const isCancelled = waiting(site, head)
  site.git(site.remote, 'update-ref', '-d', HEAD)
  standIn.asked.length = 0
  await site.fetch()
  t.equal(isCancelled(), false)
  t.ok(standIn.asked.some(({ path }) => path.endsWith('/pulls/7')))
  pull('closed', '2026-01-01T00:00:01Z')
  await site.fetch()
  t.equal(isCancelled(), true)
  const done = site.ls('spool/inbox/hello/done').length
  await site.fetch()
  t.equal(site.ls('spool/inbox/hello/done').length, done, 'once')
})

test('a list of changes that cannot be had closes nothing', async t => {
  const { site, standIn, head } = await asked(t)
  const isCancelled = waiting(site, head)
  for (const [status, wanted] of [
    [403, 100],
    [404, 100],
  ] as const) {
    standIn.fault = () => ({ status })
    const { code, stderr } = await site.start('master/bin/fetcher', ['--look']).ended
    t.match(
      { code, stderr },
      { code: wanted, stderr: /warning: hello: unable to ask the forge: it answered/ },
    )
    t.equal(isCancelled(), false)
  }
})

test('a branch in the way of another, of whose end no delivery told yet, holds nothing up', async t => {
  const { site, first } = await started(t, 'FORGE_POLL=0\n')
  site.takeEvents()
  site.push('main:refs/heads/a')
  await site.pushed('refs/heads/a', null, first)
  await site.fetch()
  site.push(':refs/heads/a')
  const next = site.commit()
  site.push('main:refs/heads/a/b', 'main:refs/heads/c')
  await site.pushed('refs/heads/a/b', null, next)
  await site.pushed('refs/heads/a', first, null)
  await site.pushed('refs/heads/c', null, next)
  await site.fetch()
  const built = Object.keys(site.events()).map(path => path.slice(0, path.lastIndexOf('/')))
  t.same(built.sort(), ['refs/heads/a', 'refs/heads/a/b', 'refs/heads/c'])
})

test('a delivery of a change that cannot be asked about holds up no other', async t => {
  const { site, standIn, head } = await asked(t)
  const outside = { author_association: 'NONE', head: { sha: head, ref: 'topic', repo: { id: 2 } } }
  standIn.pulls.set(8, { ...standIn.pulls.get(7), ...outside, number: 8 })
  standIn.fault = ({ path }) => (path.includes('/collaborators/') ? { status: 502 } : undefined)
  await site.pulled({ number: 8, head, base: head, fork: true })
  const next = site.commit()
  site.push(`${head}:refs/pull/8/head`, 'HEAD:main')
  await site.pushed('refs/heads/main', head, next)
  const { code } = await site.start('master/bin/fetcher', ['--once']).ended
  t.equal(code, 111)
  t.same(Object.keys(site.events()), [`refs/heads/main/${next}`])
  standIn.fault = () => undefined
  await site.fetch()
  t.same(site.ls('spool/inbox/hello/doing'), [])
  t.same(Object.keys(site.files('held/hello')), [`refs/pull/8/head/${head}`])
})

test('what cannot be worked off delays nothing that comes later, and each of it is tried again', async t => {
  const { site, standIn, head } = await asked(t)
  appendFileSync(join(site.spool.root, 'conf/hello/rc'), 'FORGE_POLL=0\n')
  for (let number = 11; number <= 15; number++) {
    site.push(`${head}:refs/pull/${number}/head`)
    await site.pulled({ number, head, base: head, fork: true, author: `a${number}` })
  }
  const refused = (who: RegExp) => {
    standIn.fault = ({ path }) => (who.test(path) ? { status: 429 } : undefined)
  }
  refused(/collaborators/)
  // What is printed within is not seen by whoever counts tests.
  const [built, pushed, heldThen] = [[], [], []] as [string[], string[], string[]]
  let idle = -1
  const main = async () => {
    let clock = 1000
    const [project] = forgeProjects(openTasks(), ['hello']).projects
    const fetching = new Fetching(openTasks(), project!, new AbortController().signal, () => clock)
    await fetching.round()
    let before = head
    for (let push = 0; push < 2; push++) {
      const next = site.commit()
      site.push('HEAD:main')
      await site.pushed('refs/heads/main', before, next)
      await fetching.round()
      pushed.push(`refs/heads/main/${next}`)
      built.push(...site.takeEvents())
      before = next
    }
    const calls = standIn.asked.length
    await fetching.round()
    idle = standIn.asked.length - calls
    refused(/collaborators.a1[1-4]/)
    for (let i = 0; i < 2; i++) {
      clock += 300_000
      await fetching.round()
    }
    heldThen.push(...Object.keys(site.files('held/hello')))
    standIn.fault = () => undefined
    clock += 300_000
    await fetching.round()
    return 0
  }
  t.equal((await call({ main }, [], site.env)).code, 0)
  t.same(built, pushed, 'in the middle of the pause')
  t.equal(idle, 0, 'nothing is new')
  t.same(heldThen, [`refs/pull/15/head/${head}`], 'each has its turn')
  t.same(site.ls('spool/inbox/hello/doing'), [])
  t.equal(Object.keys(site.files('held/hello')).length, 5)
})
