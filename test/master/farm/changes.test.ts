// What becomes of the deliveries of forges: changes that are held, superseded, closed, heard of too late; and what forges are
// told of it. No worker takes part.

import { mkdirSync, writeFileSync } from 'node:fs'
import { test } from 'tap'
import type { Test } from 'tap'

import { FILES as NAMED_FILES, NAMES, NOTHING, TARGETS } from '../../fixtures/check-names.ts'
import { Farm, TOKEN } from '../../fixtures/farm.ts'
import {
  fromGitea,
  fromGitLab,
  giteaPull,
  giteaPush,
  gitlabMerge,
  gitlabPush,
} from '../../fixtures/forges/payloads.ts'
import { StandIn } from '../../fixtures/forges/stand-in.ts'
import { eventually } from '../../fixtures/sandbox.ts'

const HOOK = 'a secret of the webhooks'

interface Pull {
  action?: string
  head: string
  base: string
  fork?: boolean
  updated?: string
  target?: string
}

async function open(t: Test, settings: Record<string, string> = {}) {
  const [farm, standIn] = await Promise.all([Farm.make(t), StandIn.open(t, 'github')])
  writeFileSync(farm.path('token'), 'a-token\n')
  farm.settings({ FORGE: standIn.forge, FORGE_TOKEN_FILE: farm.path('token'), ...settings })
  const farmer = await farm.farmer({ FARMER_URL: 'https://ci.example.org' })
  const pull = ({
    action = 'opened',
    head,
    base,
    fork = true,
    updated = '2026-01-02T00:00:00Z',
    target = 'main',
  }: Pull) => {
    farm.git(farm.code, 'update-ref', 'refs/pull/7/head', head)
    const payload = {
      action,
      number: 7,
      repository: { full_name: 'o/r' },
      ...(action === 'edited' ? { changes: { base: { ref: { from: 'main' } } } } : {}),
      pull_request: {
        number: 7,
        title: 'A title',
        user: { login: 'grace', id: 9 },
        author_association: 'CONTRIBUTOR',
        html_url: 'https://github.com/o/r/pull/7',
        updated_at: updated,
        base: { sha: base, ref: target, repo: { id: 1 } },
        head: { sha: head, ref: 'topic', repo: { id: fork ? 2 : 1 } },
      },
    }
    return farm.deliver(farmer.url, 'pull_request', JSON.stringify(payload))
  }
  /** Waits until all deliveries are worked off. */
  const settled = async () => {
    for (;;) {
      const [row] = await farm.db<
        { n: number }[]
      >`select count(*)::int as n from delivery where body is not null`
      if (row!.n === 0) return
      await new Promise(done => setTimeout(done, 50))
    }
  }
  const jobs = async () =>
    (
      await farm.db<
        { text: string }[]
      >`select label || ' ' || left(revision, 7) as text from job order by num`
    ).map(({ text }) => text)
  const over = async () =>
    (
      await farm.db<{ text: string }[]>`select label || ' ' || verdict || ': ' || coalesce(error, '') as text
        from result order by num`
    ).map(({ text }) => text)
  const told = async () => {
    for (;;) {
      const [row] = await farm.db<{ n: number }[]>`select count(*)::int as n from "check"`
      if (row!.n === 0) return standIn.statuses
      await new Promise(done => setTimeout(done, 50))
    }
  }
  return { farm, standIn, farmer, pull, settled, jobs, over, told }
}

const FILES = {
  Testfile: 'root: true\n',
  'sdk/Testfile': 'sdk: true\n',
  'sdk/a': '1',
  'old/Testfile': 'old: true\n',
  'old/b': '1',
}

test('a change from outside is held until a person approves its head; a newer head is held again', async t => {
  const { farm, standIn, farmer, pull, settled, jobs, told } = await open(t)
  const base = farm.commit(FILES)
  const head = farm.commit({ 'sdk/a': '2', 'sdk/Testfile': 'sdk: curl evil.example\n' })
  farm.git(farm.code, 'branch', '-f', 'main-was', base)
  farm.git(farm.code, 'checkout', '-q', '--detach')
  farm.git(farm.code, 'branch', '-f', 'main', base)
  standIn.files.set(7, [{ filename: 'sdk/a' }, { filename: 'sdk/Testfile' }])
  await pull({ head, base })
  await settled()
  t.same(await jobs(), [])
  t.match(await farm.db`select held, params from change`, [
    { held: true, params: { CHANGE: '7', FORK: 'yes', TOUCHES: 'sdk/Testfile', BASE: base, TARGET: 'main' } },
  ])
  const approve = (revision: string, authorization: string) =>
    fetch(`${farmer.url}/api/approve/hello/7/${revision}`, {
      method: 'POST',
      headers: { Authorization: authorization },
    })
  t.equal((await approve(head, 'Bearer wrong')).status, 401)
  t.equal((await approve(base, `Bearer ${TOKEN}`)).status, 409, 'another head than the one that is held')
  // The verb of people, without a spool.
  const env = { SPOOL: undefined, FARMER_URL: farmer.url, REPORTER_TOKEN: TOKEN }
  const bass = (...args: string[]) => farm.start('bin/bass', args, { env }).ended
  let status = ''
  while (!status.includes('A title')) status = (await bass('status')).stdout
  t.match(await bass('approve', 'hello', '7', base), {
    code: 100,
    stderr: /its head is [0-9a-f]{40} meanwhile/,
  })
  t.match(await bass('approve', 'hello', '7', head), { code: 0, stdout: `approved ${head}: A title\n` })
  t.equal((await approve(head, `Bearer ${TOKEN}`)).status, 409, 'once')
  t.same(await jobs(), [`sdk sdk ${head.slice(0, 7)}`, `root ${head.slice(0, 7)}`])
  const waiting = async () => (await bass('status')).stdout
  await eventually('the jobs', async () => (await waiting()).includes('sdk sdk'))
  t.match(await waiting(), /no worker for \S+ is connected\n[^]*\nno worker is connected\n$/)

  const next = farm.commit({ 'sdk/a': '3' })
  await pull({ action: 'synchronize', head: next, base, updated: '2026-01-03T00:00:00Z' })
  await settled()
  t.same(await jobs(), [], 'what ran for the old head is cancelled, and the new one waits for a person')
  const last = new Map((await told()).map(({ context, state }) => [context, state]))
  t.same(Object.fromEntries(last), { root: 'error', 'sdk sdk': 'error' })
  t.match(standIn.statuses, [{ target_url: /^https:\/\/ci.example.org\/job\/\d+$/ }])
  t.same(standIn.lies, [])
})

test('a closed change has its jobs cancelled, is not opened by what is older, and is built again when it is reopened', async t => {
  const { farm, standIn, pull, settled, jobs, over, told } = await open(t, { FORGE_TRUST: 'all' })
  const base = farm.commit(FILES)
  // The file moved: both directories are concerned.
  farm.git(farm.code, 'checkout', '-q', '-b', 'topic')
  farm.git(farm.code, 'mv', 'old/b', 'sdk/b')
  const head = farm.commit({})
  standIn.files.set(7, [{ filename: 'sdk/b', previous_filename: 'old/b' }])
  await pull({ head, base })
  await settled()
  const short = head.slice(0, 7)
  const all = [`old old ${short}`, `sdk sdk ${short}`, `root ${short}`]
  t.same(await jobs(), all)
  t.ok(standIn.asked.some(({ path }) => path.includes('/pulls/7/files')))
  await farm.db`select over((select num from job where label = 'root'), 'success', null, null, null)`
  await pull({ action: 'closed', head, base, updated: '2026-01-03T00:00:00Z' })
  await settled()
  t.same(await jobs(), [])
  t.same(
    (await over()).sort(),
    [
      ...['old old', 'sdk sdk'].map(label => `${label} cancelled: the change was closed`),
      'root success: ',
    ].sort(),
  )
  for (const updated of ['2026-01-02T12:00:00Z', '2026-01-03T00:00:00Z']) {
    await pull({ action: 'synchronize', head, base, updated })
    await settled()
    t.same(await jobs(), [], 'an older delivery, or one of the same second')
  }
  await pull({ action: 'reopened', head, base, updated: '2026-01-03T00:00:00Z' })
  await settled()
  t.same(await jobs(), all)
  const last = new Map((await told()).map(({ context, state }) => [context, state]))
  t.same([...last.values()], ['pending', 'pending', 'pending'])
})

test('a forge that lists too few files, or none, leaves it to git; one that is away is told later, in order', async t => {
  const { farm, standIn, pull, settled, jobs, told } = await open(t, { FORGE_TRUST: 'all' })
  const base = farm.commit(FILES)
  farm.git(farm.code, 'checkout', '-q', '-b', 'topic')
  const head = farm.commit({ 'old/b': '2' })
  // GitHub stops at 3,000.
  standIn.files.set(
    7,
    Array.from({ length: 3100 }, (_, i) => ({ filename: `elsewhere/${i}` })),
  )
  let away = true
  standIn.fault = ({ path }) => (away && path.includes('/statuses/') ? { status: 503 } : undefined)
  await pull({ head, base })
  await settled()
  t.same(await jobs(), [`old old ${head.slice(0, 7)}`, `root ${head.slice(0, 7)}`])
  await farm.db`select cancel(array(select num from job where label = 'root'), 'a person')`
  while (!standIn.asked.some(({ path }) => path.includes('/statuses/')))
    await new Promise(done => setTimeout(done, 50))
  t.equal(standIn.statuses.length, 0)
  away = false
  t.same(
    (await told()).map(({ context, state }) => `${context} ${state}`).sort(),
    ['old old pending', 'root error'],
    'what was pending and is over is said once',
  )
})

test('a push to the branch of an open change is built as that change, and not twice', async t => {
  const { farm, standIn, farmer, pull, settled, over, jobs } = await open(t)
  standIn.files.set(7, [{ filename: 'a' }])
  const base = farm.commit({ Testfile: 'root: true\n' })
  const one = farm.commit({ a: '1' })
  const two = farm.commit({ a: '2' })
  const three = farm.commit({ a: '3' })
  farm.git(farm.code, 'checkout', '-q', '-b', 'topic')
  farm.git(farm.code, 'branch', '-f', 'main', base)
  farm.git(farm.code, 'symbolic-ref', 'HEAD', 'refs/heads/main')
  const push = (before: string, after: string, ref = 'refs/heads/topic') =>
    farm.push(farmer.url, after, { before, ref })
  const said = async () => {
    await settled()
    const [row] = await farm.db<{ error: string | null }[]>`
      select error from delivery order by received desc limit 1`
    return row!.error
  }
  const ref = async () =>
    (await farm.db<{ ref: string }[]>`select ref from job order by num`).map(one => one.ref)

  await pull({ head: one, base, fork: false })
  await push(base, one)
  t.equal(await said(), 'it is built as change 7', 'told of after the change')
  t.same(await ref(), ['refs/pull/7/head'])

  await push(one, two)
  t.equal(await said(), 'it is built as change 7', 'told of before the change')
  await pull({ action: 'synchronize', head: two, base, fork: false, updated: '2026-01-02T00:00:01Z' })
  await settled()
  t.same(await jobs(), [`root ${two.slice(0, 7)}`])
  t.same(await over(), [`root cancelled: ${two.slice(0, 7)} takes its place`])
  t.same(await ref(), ['refs/pull/7/head'])

  farm.git(farm.code, 'branch', 'next', base)
  for (const updated of ['2026-01-02T00:00:01Z', '2026-01-02T00:00:02Z'])
    await pull({ action: 'edited', head: two, base, fork: false, target: 'next', updated })
  t.equal(await said(), 'its head has its jobs already')
  t.same(await jobs(), [`root ${two.slice(0, 7)}`])
  t.same((await over()).slice(1), ['root cancelled: it is to go into next now'], 'it is built anew, once')

  await push(base, one, 'refs/heads/other')
  t.equal(await said(), null, 'another branch is built')
  await push(base, three)
  t.equal(await said(), null, 'so is one that the change does not know of')
  await pull({
    action: 'closed',
    head: two,
    base,
    fork: false,
    target: 'next',
    updated: '2026-01-02T00:00:03Z',
  })
  await push(two, one)
  t.equal(await said(), null, 'and the branch of a change that is closed')

  await pull({ action: 'reopened', head: one, base, fork: true, updated: '2026-01-02T00:00:04Z' })
  await push(two, one)
  t.not(await said(), 'it is built as change 7', 'a branch of a fork is another one')
  await pull({ action: 'reopened', head: one, base, fork: false, updated: '2026-01-02T00:00:05Z' })
  farm.git(farm.code, 'symbolic-ref', 'HEAD', 'refs/heads/topic')
  await push(two, one)
  t.not(await said(), 'it is built as change 7', 'the default branch is always built')
})

test('a refused check holds up no other', async t => {
  const { farm, standIn, farmer, settled } = await open(t)
  standIn.fault = ({ path }) =>
    path.includes('/statuses/') && standIn.asked.filter(asked => asked.path === path).length < 3
      ? { status: 422, body: { message: 'No commit found for SHA' } }
      : undefined
  const first = farm.commit({ Testfile: 'one: true\ntwo: true\n' })
  await farm.push(farmer.url, first)
  await settled()
  while (standIn.statuses.length < 2) await new Promise(done => setTimeout(done, 50))
  t.same(standIn.statuses.map(({ context }) => context).sort(), ['one', 'two'])
})

test('lines of one name in two projects on one repository are two checks', async t => {
  const { farm, standIn, farmer, settled, jobs, told } = await open(t)
  const head = farm.commit({ Testfile: 'one: true\n', 'sdk/Testfile': 'odd\n', '.bass/1': '#!/bin/sh\n' })
  await farm.push(farmer.url, head)
  await settled()
  const short = head.slice(0, 7)
  t.same(await jobs(), [`hello testarch ${short}`, `one ${short}`])
  mkdirSync(farm.path('conf/other'))
  writeFileSync(farm.path('conf/other/rc'), `FORGE='${standIn.forge.replace(/o.r$/, 'O/R')}'\n`)
  const next = farm.commit({ 'sdk/a': '1', '.bass/1': '#!/bin/sh\nexit 1\n' })
  await farm.push(farmer.url, next, { before: head })
  await settled()
  const later = next.slice(0, 7)
  t.same((await jobs()).slice(2), [`hello testarch ${later}`, `hello: one ${later}`])
  const names = (await told()).filter(({ sha }) => sha === next).map(({ context }) => context)
  t.same(names.sort(), ['hello testarch', 'hello: one', 'hello: sdk Testfile'])
})

test('a forge shows the checks of a farm under the names that a spool uses', async t => {
  const { farm, farmer, settled, told } = await open(t, { ARCHS: TARGETS.join(' ') })
  const names = async (sha: string) => {
    await settled()
    return (await told()).filter(one => one.sha === sha).map(({ context }) => context)
  }
  const head = farm.commit(NAMED_FILES)
  await farm.push(farmer.url, head)
  t.same((await names(head)).sort(), NAMES)
  farm.git(farm.code, 'rm', '-rq', '.')
  const before = farm.commit(NOTHING.files)
  const next = farm.commit(NOTHING.change)
  await farm.push(farmer.url, next, { before })
  t.same(await names(next), NOTHING.names)
})

test('deliveries of Gitea and GitLab become jobs', async t => {
  const farm = await Farm.make(t)
  const base = farm.commit({
    Testfile: 'root: true\n',
    'sdk/Testfile': 'sdk: true\n',
    '.bass/1': '#!/bin/sh\n',
  })
  farm.git(farm.code, 'checkout', '-q', '-b', 'topic')
  const head = farm.commit({ 'sdk/a': '1' })
  for (const ref of ['refs/pull/5/head', 'refs/merge-requests/1/head'])
    farm.git(farm.code, 'update-ref', ref, head)
  farm.git(farm.code, 'branch', 'master', 'main')
  farm.settings({ FORGE: 'gitea:http://gitea.test/gitea/webhooks', FORGE_TRUST: 'all' })
  const farmer = await farm.farmer()
  let sent = 0
  const send = async ({ headers, body }: { headers: Headers; body: Uint8Array }) => {
    for (const name of ['X-Gitea-Delivery', 'Idempotency-Key']) {
      if (headers.has(name)) headers.set(name, `72d3162e-cc78-11e3-81ab-${String(++sent).padStart(12, '0')}`)
    }
    const answer = await fetch(`${farmer.url}/hooks/hello`, { method: 'POST', body, headers })
    return answer.status
  }
  const jobs = async (count: number) => {
    for (; ; await new Promise(done => setTimeout(done, 50))) {
      const rows = await farm.db<
        { text: string }[]
      >`select label || ' ' || left(revision, 7) || ' ' || coalesce(command, '.bass') as text
        from job order by num`
      if (rows.length < count) continue
      await farm.db`with ended as (delete from run) delete from job`
      return rows.map(({ text }) => text)
    }
  }
  const all = (revision: string) =>
    ['hello testarch X .bass', 'sdk sdk X true', 'root X true'].map(text =>
      text.replace('X', revision.slice(0, 7)),
    )
  t.equal(
    await send(fromGitea('push', giteaPush({ before: base, after: head, ref: 'refs/heads/topic' }), HOOK)),
    202,
  )
  t.same(await jobs(3), all(head))
  const heads = {
    head: { ref: 'topic', sha: head, repo_id: 141, repo: null },
    base: { ref: 'main', sha: base, repo_id: 140 },
  }
  t.equal(await send(fromGitea('pull_request', giteaPull('opened', heads), HOOK)), 202)
  t.same(await jobs(3), all(head))
  farm.settings({ FORGE: 'gitlab:http://gitlab.test/mike/sub/diaspora', FORGE_TRUST: 'all' })
  t.equal(await send(fromGitLab('Push Hook', gitlabPush({ before: base, after: head }), HOOK)), 202)
  t.same(await jobs(3), all(head))
  const commit = { last_commit: { id: head, message: 'x' } }
  t.equal(await send(fromGitLab('Merge Request Hook', gitlabMerge('open', commit), HOOK)), 202)
  t.same(await jobs(3), all(head))
  t.equal(await send(fromGitLab('Push Hook', gitlabPush(), 'another secret')), 401)
})
