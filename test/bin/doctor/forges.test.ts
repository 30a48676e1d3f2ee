// What doctor says of each kind of forge, in this process: GitHub with a token and with an app, Forgejo, GitLab.

import { generateKeyPairSync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'

import { test } from 'tap'
import type { Test } from 'tap'

import { checkForges } from '../../../bin/doctor/forges.ts'
import { StandIn } from '../../fixtures/forges/stand-in.ts'
import { Sandbox } from '../../fixtures/sandbox.ts'

const HOOK = 'https://ci.test/hooks/web'

/** The findings about a project with these settings, `CHECK: TEXT` where all is well and `CHECK! TEXT` where it is not. */
async function findings(t: Test, settings: Record<string, string>): Promise<string[]> {
  const sandbox = new Sandbox(t)
  const mirror = sandbox.path('mirror.git')
  sandbox.git(sandbox.dir, 'init', '-q', '--bare', mirror)
  const env = { PROJECT: 'web', PROJ: mirror, REPORTER_URL: 'https://ci.test/', ...settings }
  const found = await checkForges([{ name: 'web', rc: 'conf/web/rc', env }])
  return found.map(({ check, ok, text }) => `${check}${ok ? ':' : '!'} ${text.replace(mirror, 'MIRROR')}`)
}

test('projects on one repository, by whichever names', async t => {
  const standIn = await StandIn.open(t, 'gitea')
  const of = (name: string, forge: string) => ({
    name,
    rc: `conf/${name}/rc`,
    env: { PROJECT: name, FORGE: forge, FORGE_TOKEN: 'a_token' },
  })
  const found = await checkForges([
    of('web', standIn.forge),
    of('docs', standIn.forge.replace(/^gitea:/, 'forgejo:').replace('/o/r', '/O/r.git')),
    of('other', 'nonsense'),
  ])
  const texts = found.map(({ text }) => text).filter(text => text.includes('same repository'))
  t.match(texts, [
    "docs is on the same repository: each line of a Testfile is the check 'web: NAME'",
    "web is on the same repository: each line of a Testfile is the check 'docs: NAME'",
  ])
})

const day = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10)
const hook = (last: object = {}) => ({
  id: 1,
  active: true,
  events: ['push'],
  config: { url: HOOK },
  ...last,
})

test('GitHub with a token: when it ends, and how the last delivery went', async t => {
  const standIn = await StandIn.open(t, 'github')
  standIn.hooks.push(hook({ last_response: { code: 200, status: 'active', message: 'OK' } }))
  standIn.more = { 'github-authentication-token-expiration': `${day(100)} 12:00:00 UTC` }
  const settings = { FORGE: standIn.forge, FORGE_TOKEN: 'a_token' }
  t.match(await findings(t, settings), [
    'mirror: MIRROR',
    /^forge: http.*\/o\/r\.git answers$/,
    `token: it may write until ${day(100)}`,
    `webhook: ${HOOK}, last delivery: active (200)`,
  ])
  standIn.more = { 'github-authentication-token-expiration': `${day(3)} 12:00:00 UTC` }
  t.match(await findings(t, settings), [/^mirror/, /^forge/, `token! it ends on ${day(3)}`, /^webhook/])
  standIn.fault = () => ({ status: 401, body: { message: 'Bad credentials' } })
  t.match(await findings(t, settings), [
    /^mirror/,
    /^token! the forge refuses it .*Bad credentials.* run out/,
  ])
  t.same(standIn.lies, [])
})

test('GitHub with an app: what the app may counts', async t => {
  const standIn = await StandIn.open(t, 'github')
  standIn.may = { pull: true, push: false, admin: false }
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const key = join(t.testdir(), 'key.pem')
  writeFileSync(key, privateKey.export({ type: 'pkcs1', format: 'pem' }))
  const settings = { FORGE: standIn.forge, FORGE_APP_KEY_FILE: key }
  t.match(await findings(t, { ...settings, FORGE_APP_ID: '1' }), [
    /^mirror/,
    /^forge/,
    'token: it may write, and no end of it is known',
    /^webhook! the forge has none/,
  ])
  standIn.granted = { contents: 'read', statuses: 'read' }
  const read = await findings(t, { ...settings, FORGE_APP_ID: '2' })
  t.match(read[2], 'token! it may not write, so the forge shows no checks')
  t.same(standIn.lies, [])
})

test('Forgejo answers as Gitea', async t => {
  const standIn = await StandIn.open(t, 'gitea')
  standIn.hooks.push(hook())
  const FORGE = standIn.forge.replace('gitea:', 'forgejo:')
  t.match(await findings(t, { FORGE, FORGE_TOKEN: 'a_token' }), [
    /^mirror/,
    /^forge: /,
    /^token: it may write/,
    `webhook: ${HOOK}`,
  ])
  t.match((await findings(t, { FORGE }))[1], /^token! there is none/)
  t.same(standIn.lies, [])
})

test('GitLab: the role of the token, its last day, and a webhook that was switched off', async t => {
  const answers: Record<string, unknown> = {
    '/api/v4/projects/g%2Fr': {
      path_with_namespace: 'g/r',
      permissions: { project_access: { access_level: 30 } },
    },
    '/api/v4/personal_access_tokens/self': { expires_at: day(5) },
    '/api/v4/projects/g%2Fr/hooks?per_page=100': [
      { id: 1, url: HOOK, push_events: true, alert_status: 'disabled' },
    ],
  }
  const server = createServer((request, response) => {
    const answer = answers[request.url!]
    response.writeHead(answer === undefined ? 404 : 200, { 'Content-Type': 'application/json' })
    response.end(JSON.stringify(answer ?? { message: '404 Not Found' }))
  })
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  t.teardown(() => void (server.closeAllConnections(), server.close()))
  const FORGE = `gitlab:http://127.0.0.1:${(server.address() as AddressInfo).port}/g/r`
  t.match(await findings(t, { FORGE, FORGE_TOKEN: 'glpat' }), [
    /^mirror/,
    /^forge: /,
    `token! it ends on ${day(5)}`,
    `webhook! ${HOOK} is switched off on the forge`,
  ])
})
