import { execFileSync } from 'node:child_process'
import { generateKeyPairSync, verify } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'

import { test } from 'tap'
import type { Test } from 'tap'

import type { ForgeApi } from '../../../lib/forge/api.ts'
import { Client, ForgeError } from '../../../lib/forge/client.ts'
import { gitAccess, isTrusted, openApi } from '../../../lib/forge/open.ts'
import { parseForge } from '../../../lib/forge/parse-forge.ts'
import { StandIn } from '../../fixtures/forges/stand-in.ts'

const SHA = 'a'.repeat(40)
const TOKEN = 'not_for_logs'
const KINDS = ['github', 'gitea'] as const

async function opened(t: Test, kind: (typeof KINDS)[number]): Promise<{ standIn: StandIn; api: ForgeApi }> {
  const standIn = await StandIn.open(t, kind)
  return { standIn, api: openApi(parseForge(standIn.forge), { FORGE_TOKEN: TOKEN })! }
}

const pull = (number: number, over: object = {}) => ({
  number,
  title: `change ${number}`,
  author_association: 'NONE',
  user: { login: 'ada', id: 7 },
  html_url: `https://forge.test/o/r/pulls/${number}`,
  base: { ref: 'main', sha: 'b'.repeat(40), repo: { id: 1 } },
  head: { ref: 'topic', sha: SHA, repo: { id: 2 } },
  ...over,
})

async function errorOf(action: Promise<unknown>): Promise<ForgeError> {
  try {
    await action
  } catch (error) {
    if (error instanceof ForgeError) return error
  }
  throw new Error('it did not fail as a forge fails')
}

for (const kind of KINDS) {
  test(`${kind}: a status, a change, its author, files and hooks`, async t => {
    const { standIn, api } = await opened(t, kind)
    const status = {
      sha: SHA,
      context: 'go test',
      state: 'running',
      description: 'd',
      url: 'https://ci.test/job/1',
    }
    await api.setStatus({ ...status, state: 'running' })
    await api.setStatus({ ...status, state: 'cancelled', url: null })
    t.match(standIn.statuses, [
      { sha: SHA, state: 'pending', context: 'go test', target_url: 'https://ci.test/job/1' },
      { sha: SHA, state: 'error' },
    ])
    t.match(standIn.asked[0]!.headers.authorization, /^(?:Bearer|token) not_for_logs$/)

    for (const number of [3, 4]) standIn.pulls.set(number, pull(number))
    t.same(
      (await api.openChanges()).map(({ number, fork }) => [number, fork]),
      [
        [3, true],
        [4, true],
      ],
    )
    const change = (await api.change(3))!
    t.match(change, {
      title: 'change 3',
      author: 'ada',
      target: 'main',
      head: SHA,
      source: 'topic',
      member: false,
    })
    t.equal(await api.change(9), undefined)

    t.equal(await isTrusted(change, 'members', api), false, 'the forge does not know the author')
    standIn.permissions.set('ada', 'read')
    t.equal(await isTrusted(change, 'members', api), false)
    standIn.permissions.set('ada', 'write')
    t.equal(await isTrusted(change, 'members', api), true)
    t.equal(await isTrusted(change, 'none', api), false)
    t.equal(await isTrusted({ ...change, fork: false }, 'members', undefined), true)
    t.equal(await isTrusted(change, 'members', undefined), false, 'without a token nobody can be asked')

    standIn.content.set('a b/Testfile', 'x: true\n').set('a b/main.go', '')
    t.same(await api.filesAt(SHA), ['a b/Testfile', 'a b/main.go'])
    t.equal(await api.readFile(SHA, 'a b/Testfile'), 'x: true\n')
    t.equal(await api.readFile(SHA, 'Testfile'), undefined)
    standIn.treeIsTruncated = true
    if (kind === 'github') t.equal(await api.filesAt(SHA), undefined, 'a part is not taken for the whole')

    t.same(await api.hooks(), [])
    await api.addHook('https://ci.test/hooks/p', 's'.repeat(32))
    t.match(await api.hooks(), [{ url: 'https://ci.test/hooks/p', active: true }])
    t.ok((await api.hooks())[0]!.events.includes('pull_request'))
    t.same(standIn.lies, [], 'the description has all that was asked and answered')
  })

  test(`${kind}: 3,100 changed files are listed by both of their names`, async t => {
    const { standIn, api } = await opened(t, kind)
    const file = (i: number) => ({ filename: `d${i}/new`, status: 'renamed', previous_filename: `d${i}/old` })
    standIn.files.set(
      1,
      Array.from({ length: kind === 'github' ? 3000 : 3100 }, (_, i) => file(i)),
    )
    standIn.files.set(2, [file(1), file(2)])
    const many = await api.changedFiles(1)
    t.equal(many.names.length, kind === 'github' ? 6000 : 6200)
    t.ok(many.names.includes('d2999/old'))
    t.equal(many.complete, kind !== 'github', 'GitHub lists no more than 3,000')
    t.same(await api.changedFiles(2), { names: ['d1/new', 'd1/old', 'd2/new', 'd2/old'], complete: true })
    t.same(standIn.lies, [])
  })

  test(`${kind}: a page that fails is an error, not the end of the list`, async t => {
    const { standIn, api } = await opened(t, kind)
    standIn.files.set(
      1,
      Array.from({ length: 220 }, (_, i) => ({ filename: `f${i}` })),
    )
    standIn.fault = ({ path }) => (/[?&]page=2/.test(path) ? { status: 422 } : undefined)
    t.match(await errorOf(api.changedFiles(1)), { status: 422, later: false })
    let failures = 0
    standIn.fault = ({ path }) => (/[?&]page=2/.test(path) && failures++ === 0 ? { status: 502 } : undefined)
    const { names } = await api.changedFiles(1)
    t.equal(
      names.filter(name => /^f\d/.test(name)).length,
      220,
      'one that failed for a moment is asked for again',
    )
  })
}

test('what an answer means for the next call', async t => {
  const { standIn, api } = await opened(t, 'github')
  const post = () => api.setStatus({ sha: SHA, context: 'c', state: 'success', description: '', url: null })
  const reset = String(Math.floor(Date.now() / 1000) + 120)
  for (const [status, headers, body, later, after] of [
    [422, {}, { message: 'Validation Failed', errors: [{ message: 'has 1000 statuses' }] }, false, 0],
    [404, {}, { message: 'Not Found' }, false, 0],
    [401, {}, { message: 'Bad credentials' }, false, 0],
    [403, {}, { message: 'Resource not accessible' }, false, 0],
    [403, { 'Retry-After': '30' }, { message: 'x' }, true, 30_000],
    [403, {}, { message: 'You have exceeded a secondary rate limit' }, true, 60_000],
    [429, { 'Retry-After': '7' }, {}, true, 7000],
    [429, {}, {}, true, 60_000],
    [403, { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': reset }, {}, true, 120_000],
    [500, {}, {}, true, 0],
    [503, { 'Retry-After': '3' }, {}, true, 3000],
  ] as const) {
    const asked = standIn.asked.length
    standIn.fault = () => ({ status, headers, body })
    const error = await errorOf(post())
    t.equal(error.status, status)
    t.equal(error.later, later, `${status} ${JSON.stringify(headers)}`)
    t.ok(Math.abs(error.after - after) < 2500, `${error.after} is ${after}`)
    t.notMatch(error.message, new RegExp(TOKEN))
    t.equal(standIn.asked.length, asked + 1, 'a POST is sent once')
  }
  standIn.fault = () => ({
    status: 422,
    body: { message: 'Validation Failed', errors: [{ message: 'a\nb' }] },
  })
  t.match(await errorOf(post()), { message: 'it answered 422: Validation Failed: a b' })
})

test('a repository that was renamed is followed, with the same method and body', async t => {
  const { standIn, api } = await opened(t, 'github')
  const renamed = (status: number) => {
    standIn.fault = ({ path }) =>
      path.includes('/repos/o/r/')
        ? { status, headers: { Location: path.replace('/repos/o/r/', '/repos/o/new-name/') } }
        : undefined
  }
  for (const status of [301, 302, 307, 308]) {
    renamed(status)
    await api.setStatus({ sha: SHA, context: `c${status}`, state: 'success', description: '', url: null })
    t.match(standIn.statuses.at(-1), { context: `c${status}`, state: 'success' })
  }
})

test('no credential goes to another server, and no redirection goes round for ever', async t => {
  const { standIn, api } = await opened(t, 'github')
  const other = await StandIn.open(t, 'github')
  standIn.fault = ({ path }) => ({ status: 307, headers: { Location: `${other.url}${path}` } })
  t.match(await errorOf(api.change(1)), { later: false, message: /elsewhere/ })
  t.equal(other.asked.length, 0)
  standIn.fault = ({ path }) => ({ status: 301, headers: { Location: path } })
  t.match(await errorOf(api.change(1)), { message: /elsewhere/ })
  t.ok(standIn.asked.length < 10)
})

test('a forge that is away, or talks nonsense', async t => {
  const api = openApi(parseForge('gitea:http://127.0.0.1:1/o/r'), { FORGE_TOKEN: TOKEN })!
  t.match(await errorOf(api.hooks()), { later: true, status: 0, message: /cannot be reached/ })
  const { standIn, api: other } = await opened(t, 'gitea')
  standIn.fault = () => ({ status: 200, body: { not: 'a list' } })
  t.match(await errorOf(other.hooks()), { later: true })
  standIn.fault = ({ path }) => ({
    status: 200,
    headers: { Link: `<${path}>; rel="next"` },
    body: [{ id: 1, config: { url: 'x' } }],
  })
  t.match(await errorOf(other.hooks()), { message: /circle/ })
})

test('what a token may, and when it ends', async t => {
  const { standIn, api } = await opened(t, 'github')
  standIn.may = { pull: true, push: true, admin: false }
  standIn.fullName = 'o/new-name'
  standIn.more = { 'github-authentication-token-expiration': '2027-01-31 12:00:00 UTC' }
  const facts = await api.lookAtToken()
  t.match(facts, {
    repository: 'o/new-name',
    mayPush: true,
    mayAdmin: false,
    ends: Date.UTC(2027, 0, 31, 12),
  })
  t.ok(Math.abs(facts.clock!) < 10_000)
  standIn.fault = () => ({ status: 401, body: { message: 'Bad credentials' } })
  t.match(await errorOf(api.lookAtToken()), { status: 401 })
})

test('a GitHub App gets itself a token for one repository, and keeps it', async t => {
  const standIn = await StandIn.open(t, 'github')
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const key = join(t.testdir(), 'key.pem')
  writeFileSync(key, privateKey.export({ type: 'pkcs1', format: 'pem' }))
  const env = { FORGE_APP_ID: '4711', FORGE_APP_KEY_FILE: key }
  const api = openApi(parseForge(standIn.forge), env)!
  await api.hooks()
  await api.hooks()
  t.same(standIn.lies, [])
  t.same(
    standIn.asked.map(({ method, path }) => `${method} ${path.replace('/api/v3', '').replace(/\?.*/, '')}`),
    [
      'GET /repos/o/r/installation',
      'POST /app/installations/77/access_tokens',
      'GET /repos/o/r/hooks',
      'GET /repos/o/r/hooks',
    ],
  )
  const [head, body, signature] = standIn.asked[0]!.headers.authorization!.slice('Bearer '.length).split('.')
  t.ok(verify('RSA-SHA256', Buffer.from(`${head}.${body}`), publicKey, Buffer.from(signature!, 'base64url')))
  t.match(JSON.parse(Buffer.from(body!, 'base64url').toString()), { iss: '4711' })
  t.equal(standIn.asked[2]!.headers.authorization, 'Bearer ghs_of_the_app')
  t.throws(() => openApi(parseForge('gitea:http://x.test/o/r'), env), { message: /only GitHub has apps/ })

  // Git takes the same token, and what the app may is said of the app, not of a person.
  const access = await gitAccess(parseForge(standIn.forge), { ...env, FORGE: standIn.forge })
  t.match(access, { BASS_GIT_USER: 'x-access-token', BASS_GIT_TOKEN: 'ghs_of_the_app' })
  t.equal(standIn.asked.filter(({ path }) => path.endsWith('/access_tokens')).length, 1)
  standIn.may = { pull: true, push: false, admin: false }
  t.match(await api.lookAtToken(), { mayPush: true, mayAdmin: false, ends: null })
})

test('git gets a token in its environment, and for its server alone', async t => {
  const forge = parseForge('gitea:https://g.test/o/r')
  const env = await gitAccess(forge, { FORGE: 'gitea:https://g.test/o/r', FORGE_TOKEN: TOKEN })
  const asked = (host: string) =>
    execFileSync('git', ['credential', 'fill'], {
      env: { PATH: process.env.PATH, HOME: '/nonexistent', GIT_ASKPASS: 'true', ...env },
      input: `protocol=https\nhost=${host}\n\n`,
      encoding: 'utf8',
    })
  t.match(asked('g.test'), /^username=oauth2\npassword=not_for_logs$/m)
  t.notMatch(asked('h.test'), TOKEN)
  t.same(await gitAccess(parseForge('git:/srv/x.git'), { FORGE: 'git:/srv/x.git', FORGE_TOKEN: TOKEN }), {})
  t.same(await gitAccess(forge, { FORGE: 'gitea:https://g.test/o/r' }), {})
})

test('a forge whose answer comes drop by drop is away when the time of a call is over', async t => {
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'Content-Type': 'application/json' }).write('[')
    const drip = setInterval(() => response.write(' '), 50)
    response.on('close', () => clearInterval(drip))
  })
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  t.teardown(() => server.close())
  const client = new Client(
    `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async () => ({}),
    300,
  )
  t.match(await errorOf(client.post('/x', {})), { later: true, message: 'its answer was cut off' })
})
