// The demo's forge against Gitea's own description, our client and git.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { OpenAPIBackend } from 'openapi-backend'
import type { Document } from 'openapi-backend'
import { test } from 'tap'

import { makeChange, makeWorkTree } from '../../../bin/demo/forge-code.ts'
import { DemoForge } from '../../../bin/demo/forge.ts'
import { openApi } from '../../../lib/forge/open.ts'
import { parseForge } from '../../../lib/forge/parse-forge.ts'
import { ROOT, Sandbox } from '../../fixtures/sandbox.ts'

const TOKEN = 'a_token'

/** The description of the calls that the demo's forge answers. */
async function described(): Promise<OpenAPIBackend> {
  const text = readFileSync(join(ROOT, 'test/fixtures/forges/gitea.json'), 'utf8')
  const ajvOpts = { strict: false, logger: false, validateFormats: false } as const
  const backend = new OpenAPIBackend({
    definition: JSON.parse(text) as Document,
    quick: true,
    validate: true,
    ajvOpts,
  })
  await backend.init()
  return backend
}

test("the demo's forge answers as Gitea describes it", async t => {
  const sandbox = new Sandbox(t)
  const head = makeWorkTree(sandbox.path('work'))
  const forge = await DemoForge.open(sandbox.path('forge'), sandbox.path('work'), TOKEN)
  t.teardown(() => forge.close())
  const backend = await described()
  const repo = '/repos/demo/site'
  const config = { url: 'http://127.0.0.1:1/hooks/site', content_type: 'json', secret: 'x' }
  const status = { state: 'pending', context: 'api unit', description: 'queued' }
  for (const [operation, method, path, body] of [
    ['repoGet', 'GET', repo, undefined],
    ['repoListHooks', 'GET', `${repo}/hooks`, undefined],
    ['repoCreateHook', 'POST', `${repo}/hooks`, { type: 'gitea', active: true, events: ['push'], config }],
    ['repoListHooks', 'GET', `${repo}/hooks`, undefined],
    ['repoCreateStatus', 'POST', `${repo}/statuses/${head}`, status],
    ['repoListPullRequests', 'GET', `${repo}/pulls`, undefined],
    ['repoGetRepoPermissions', 'GET', `${repo}/collaborators/ada/permission`, undefined],
  ] as const) {
    const request = { method, path, headers: {}, body }
    t.equal(backend.matchOperation(request)?.operationId, operation)
    t.notOk(backend.validateRequest(request, operation).errors, `${operation} may be asked so`)
    const answer = await fetch(`${forge.url}/api/v1${path}`, {
      method,
      headers: { Authorization: `token ${TOKEN}` },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const said: unknown = await answer.json()
    t.notOk(backend.validateResponse(said, operation, answer.status).errors, `${operation} answers so`)
  }
  t.equal((await fetch(`${forge.url}/api/v1${repo}/hooks`)).status, 401)
})

test('our client and git get along with it, and its page shows what it was told', async t => {
  const sandbox = new Sandbox(t)
  const work = sandbox.path('work')
  makeWorkTree(work)
  const forge = await DemoForge.open(sandbox.path('forge'), work, TOKEN)
  t.teardown(() => forge.close())
  const place = parseForge(`gitea:${forge.url}/demo/site`)
  const api = openApi(place, { FORGE_TOKEN: TOKEN })!
  const head = makeChange(work, 'topic')
  sandbox.git(work, 'push', '-q', forge.repository('ada'), 'topic')
  await forge.openChange('topic')
  t.match(await api.openChanges(), [{ number: 1, head, author: 'ada', fork: true, target: 'main' }])
  t.ok(await api.mayPush((await api.openChanges())[0]!))
  const remote = await sandbox.start('git', ['ls-remote', place.cloneUrl, 'refs/pull/1/head']).ended
  t.equal(remote.stdout, `${head}\trefs/pull/1/head\n`)
  const pushed = await sandbox.start('git', ['push', place.cloneUrl, 'HEAD:refs/heads/x'], { cwd: work })
    .ended
  t.not(pushed.code, 0, 'nobody pushes by HTTP')

  const url = 'http://127.0.0.1:1/job/1'
  const context = 'api <b>'
  await api.setStatus({ sha: head, context, state: 'success', description: 'passed', url })
  const page = await (await fetch(place.changePage(1)!)).text()
  t.match(page, 'Checks: 1 of 1 passed')
  t.match(page, `<a href="${url}">api &lt;b&gt;</a>`)
  t.match(await (await fetch(place.filePage(head, 'api/greet.sh')!)).text(), 'echo "hello, $1"')
  t.match(await (await fetch(place.commitPage(head)!)).text(), 'greet people by name')
  t.equal((await fetch(place.filePage(head, 'no/such')!)).status, 404)
})
