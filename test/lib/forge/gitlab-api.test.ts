// GitLab publishes no description that covers these calls: what it answers here is typed from its documentation.

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'

import { test } from 'tap'
import type { Test } from 'tap'

import { openApi } from '../../../lib/forge/open.ts'
import { parseForge } from '../../../lib/forge/parse-forge.ts'

const SHA = 'a'.repeat(40)

type Answers = Record<string, { status?: number; body: unknown; headers?: Record<string, string> }>

async function opened(t: Test, answers: Answers) {
  const asked: { what: string; body: unknown }[] = []
  const server = createServer((request, response) => {
    const what = `${request.method} ${request.url!.replace(/^\/api\/v4\/projects\/g%2Fs%2Fr/, '')}`
    const read = request.method === 'POST' ? json(request) : Promise.resolve(undefined)
    void read.then(body => {
      asked.push({ what, body })
      const answer = answers[what] ?? { status: 404, body: { message: '404 Not found' } }
      response.writeHead(answer.status ?? 200, { 'Content-Type': 'application/json', ...answer.headers })
      response.end(JSON.stringify(answer.body))
    })
  })
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  t.teardown(() => void (server.closeAllConnections(), server.close()))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { asked, api: openApi(parseForge(`gitlab:${url}/g/s/r`), { FORGE_TOKEN: 'glpat' })! }
}

test('a state that GitLab has already is done, and another refusal is not', async t => {
  const refused = (message: unknown) => ({ [`POST /statuses/${SHA}`]: { status: 400, body: { message } } })
  const status = { sha: SHA, context: 'c', state: 'failure', description: 'd', url: null } as const
  const same = await opened(t, refused('Cannot transition status via :drop from :failed (Reason(s): x)'))
  await same.api.setStatus(status)
  t.match(same.asked, [{ body: { state: 'failed', name: 'c', description: 'd' } }])
  const waits = await opened(t, refused('Cannot transition status via :enqueue from :running'))
  await waits.api.setStatus({ ...status, state: 'pending' })
  const passed = await opened(t, refused('Cannot transition status via :drop from :success'))
  await t.rejects(passed.api.setStatus(status), { status: 400, message: /from :success/ })
  const other = await opened(t, refused({ name: ['is too long'] }))
  await t.rejects(other.api.setStatus(status), { status: 400, later: false, message: /is too long/ })
})

test('files of a merge request, by both names and over pages, and whether they are all', async t => {
  const file = (old_path: string, new_path = old_path) => ({ old_path, new_path })
  const answers = (changes_count: string): Answers => ({
    'GET /merge_requests/7': { body: { changes_count } },
    'GET /merge_requests/7/diffs?per_page=100': {
      body: [file('a', 'b')],
      headers: {
        Link: '<http://inside.test/x?page=2>; rel="next", <http://inside.test/x?page=1>; rel="first"',
      },
    },
    'GET /merge_requests/7/diffs?page=2': { body: [file('c')] },
  })
  t.same(await (await opened(t, answers('2'))).api.changedFiles(7), {
    names: ['b', 'a', 'c'],
    complete: true,
  })
  t.match(await (await opened(t, answers('1000+'))).api.changedFiles(7), { complete: false })
})

test('who may push, and what a token may', async t => {
  const { api } = await opened(t, {
    'GET /members/all/5': { body: { access_level: 30 } },
    'GET /members/all/6': { body: { access_level: 20 } },
    'GET ': { body: { path_with_namespace: 'g/s/r', permissions: { group_access: { access_level: 40 } } } },
    'GET /api/v4/personal_access_tokens/self': { body: { expires_at: '2027-03-01' } },
  })
  const by = (authorId: number | null) => api.mayPush({ authorId } as Parameters<typeof api.mayPush>[0])
  t.same([await by(5), await by(6), await by(7), await by(null)], [true, false, false, false])
  const ends = Date.UTC(2027, 2, 1)
  t.match(await api.lookAtToken(), { repository: 'g/s/r', mayPush: true, mayAdmin: true, ends })
})

test('files of a commit over pages, and one file', async t => {
  const tree = '/repository/tree?ref=' + SHA + '&recursive=true&per_page=100&pagination=keyset'
  const blob = (path: string) => ({
    id: SHA,
    name: path.split('/').at(-1),
    type: 'blob',
    path,
    mode: '100644',
  })
  const { api } = await opened(t, {
    [`GET ${tree}`]: {
      body: [{ ...blob('a'), type: 'tree', mode: '040000' }, blob('a/Testfile')],
      headers: { Link: `<http://inside.test/x?page_token=2>; rel="next"` },
    },
    'GET /repository/tree?page_token=2': { body: [blob('Testfile')] },
    [`GET /repository/files/a%2FTestfile?ref=${SHA}`]: {
      body: { encoding: 'base64', content: Buffer.from('all: true\n').toString('base64') },
    },
  })
  t.same(await api.filesAt(SHA), ['a/Testfile', 'Testfile'])
  t.equal(await api.readFile(SHA, 'a/Testfile'), 'all: true\n')
  t.equal(await api.readFile(SHA, 'no'), undefined)
})

test('webhooks are listed and registered', async t => {
  const hook = (id: number, url: string, more: object = {}) => ({
    id,
    url,
    push_events: true,
    merge_requests_events: id === 1,
    alert_status: 'executable',
    ...more,
  })
  const { api, asked } = await opened(t, {
    'GET /hooks?per_page=100': {
      body: [hook(1, 'https://ci.test/hooks/x'), hook(2, 'https://o.test/', { alert_status: 'disabled' })],
    },
    'POST /hooks': { status: 201, body: hook(3, 'https://ci.test/hooks/y') },
  })
  t.same(await api.hooks(), [
    {
      id: 1,
      url: 'https://ci.test/hooks/x',
      active: true,
      events: ['push', 'merge_requests'],
      last: 'executable',
    },
    { id: 2, url: 'https://o.test/', active: false, events: ['push'], last: 'disabled' },
  ])
  await api.addHook('https://ci.test/hooks/y', 's3cret')
  t.match(asked.at(-1), {
    what: 'POST /hooks',
    body: {
      url: 'https://ci.test/hooks/y',
      token: 's3cret',
      push_events: true,
      tag_push_events: true,
      merge_requests_events: true,
      enable_ssl_verification: true,
    },
  })
})

test('merge requests are listed, and one that is not there is none', async t => {
  const merge = {
    iid: 7,
    title: 'A title',
    author: { id: 5, username: 'ada' },
    web_url: 'https://gitlab.test/g/s/r/-/merge_requests/7',
    diff_refs: { base_sha: SHA, start_sha: 'b'.repeat(40), head_sha: 'c'.repeat(40) },
    target_branch: 'main',
    source_branch: 'topic',
    source_project_id: 2,
    target_project_id: 1,
    sha: 'c'.repeat(40),
    updated_at: '2026-11-27T06:00:00.000Z',
  }
  const { api } = await opened(t, {
    'GET /merge_requests?state=opened&per_page=100': { body: [merge] },
    'GET /merge_requests/7': { body: { ...merge, source_project_id: 1 } },
  })
  t.match(await api.openChanges(), [
    { number: 7, author: 'ada', authorId: 5, fork: true, head: merge.sha, source: 'topic', target: 'main' },
  ])
  t.match(await api.change(7), { fork: false, base: 'b'.repeat(40), updated: Date.UTC(2026, 10, 27, 6) })
  t.equal(await api.change(8), undefined)
})
