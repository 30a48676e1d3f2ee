// The server and a runner, against a stand-in of a forge that is checked against Gitea's own description, over real git.

import { once } from 'node:events'
import { readdirSync, readFileSync, rmdirSync } from 'node:fs'
import { request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { test } from 'tap'

import { checkPassword, makePassword } from '../../../bin/jci/server/credential.ts'
import { parseCommands, whyNot } from '../../../bin/jci/server/door.ts'
import { JciForge, push, RUNNER_SECRET, sign } from '../../fixtures/jci-forge.ts'
import { eventually, ROOT, Sandbox } from '../../fixtures/sandbox.ts'

interface Given {
  job: { job_id: string; clone_url: string; commit_sha: string; repo_owner: string; repo_name: string } | null
}

const post = (url: string, body: string, headers: Record<string, string> = {}) =>
  fetch(url, { method: 'POST', body, headers })
const poll = async (url: string, runner = 'r1', secret = RUNNER_SECRET, jobs: readonly string[] = []) =>
  post(`${url}/poll`, JSON.stringify({ runner_id: runner, secret, jobs }))
const given = async (url: string, runner?: string) => ((await (await poll(url, runner)).json()) as Given).job

/** Does a job as a runner would, in this very place. */
const runJob = (sandbox: Sandbox, job: unknown) =>
  sandbox.start('node', [join(ROOT, 'dist/bin/jci/runner/job.js')], {
    input: JSON.stringify(job),
    env: { BASS_ROOT: ROOT },
  }).ended

test('what the server needs is named at once; a forge that refuses tokens is said', async t => {
  const sandbox = new Sandbox(t)
  t.match(sandbox.run('bin/git-jci', ['server']), {
    code: 1,
    stderr: 'not set: GITEA_HOST, GITEA_USER, GITEA_TOKEN, GITEA_WEBHOOK_SECRET, RUNNER_SECRET',
  })
  const forge = await JciForge.open(t, sandbox)
  forge.api.fault = ({ path }) => (path.includes('/tokens') ? { status: 403 } : undefined)
  const { code, stderr } = await sandbox.start('bin/git-jci', ['server'], { env: forge.serverEnvironment() })
    .ended
  t.equal(code, 1)
  t.match(stderr, 'unable to make and delete a token on the forge: the forge answered 403')
  t.match(stderr, 'write:user')
  const nowhere = await sandbox.start('bin/git-jci', ['server'], {
    env: forge.serverEnvironment({ JCI_WEB_URL: 'pages' }),
  }).ended
  t.match(nowhere, { code: 1, stderr: "unable to read the setting JCI_WEB_URL: 'pages' is no address" })
  const noDoor = await sandbox.start('bin/git-jci', ['server'], {
    env: forge.serverEnvironment({ JCI_GIT_URL: 'ci.example.org:8080' }),
  }).ended
  t.match(noDoor, { code: 1, stderr: "JCI_GIT_URL: 'ci.example.org:8080' is no address" })
})

test('webhooks: signed pushes of branches, once, and nothing else', async t => {
  const sandbox = new Sandbox(t)
  const forge = await JciForge.open(t, sandbox)
  const commit = forge.repository('hello', 'true')
  const { url } = await forge.serve()
  const { body, headers } = push('hello', commit)
  const statuses: [string, Record<string, string>, number][] = [
    [body, {}, 400],
    [body, { ...headers, 'X-Gitea-Signature': '' }, 400],
    [body, { ...headers, 'X-Gitea-Signature': sign(`${body} `) }, 400],
    [body, { ...headers, 'X-Gitea-Signature': 'zz' }, 400],
    [`${body} `, headers, 400],
  ]
  for (const [sent, with_, status] of statuses)
    t.equal((await post(`${url}/webhook`, sent, with_)).status, status)
  const tag = push('hello', commit, { ref: 'refs/tags/v1' }).body
  const signed: [string, string][] = [
    ['X-Gitea-Signature', sign(tag).toUpperCase()],
    ['X-Forgejo-Signature', sign(tag)],
    ['X-Hub-Signature-256', `sha256=${sign(tag)}`],
  ]
  for (const [name, value] of signed) {
    const event = { 'X-Forgejo-Event': 'push' }
    t.equal((await post(`${url}/webhook`, tag, { ...event, [name]: value })).status, 200, name)
    t.equal((await post(`${url}/webhook`, `${tag} `, { ...event, [name]: value })).status, 400, name)
  }
  const ignored: [string, object][] = [
    ['a branch was deleted', { after: '0'.repeat(40) }],
    ['not a branch', { ref: 'refs/tags/v1' }],
    ['names no commit', { after: '--upload-pack=x' }],
    ['names no commit', { repository: { name: '../x', owner: { login: 'o' } } }],
  ]
  for (const [why, more] of ignored) {
    const bad = push('hello', commit, more)
    const answer = await post(`${url}/webhook`, bad.body, bad.headers)
    t.equal(answer.status, 200)
    t.match(await answer.text(), why)
  }
  const ping = await post(`${url}/webhook`, body, { ...headers, 'X-Gitea-Event': 'ping' })
  t.match([ping.status, await ping.text()], [200, /not a push/])
  t.equal(await given(url), null)
  // Of what says that it is too large nothing is read; whoever sends it all the same may meet a closed connection.
  const large = request(`${url}/webhook`, { method: 'POST', headers: { 'Content-Length': (25 << 20) + 1 } })
  large.flushHeaders()
  const [refusal] = (await once(large, 'response')) as [IncomingMessage]
  t.equal(refusal.statusCode, 413)
  large.on('error', () => undefined).destroy()

  const upper = {
    ...headers,
    'X-Gitea-Signature': '',
    'X-Hub-Signature-256': `sha256=${sign(body).toUpperCase()}`,
  }
  delete (upper as Record<string, string>)['X-Gitea-Signature']
  const first = await post(`${url}/webhook`, body, upper)
  t.match([first.status, await first.text()], [200, /queued/])
  const second = await post(`${url}/webhook`, body, headers)
  t.match([second.status, await second.text()], [200, /already/])
  await eventually('queued', () => forge.api.statuses.length === 1)
  t.match(forge.api.statuses[0], {
    sha: commit,
    context: 'jci',
    state: 'pending',
    description: 'jci: queued',
  })

  for (const [path, method, status] of [
    ['/webhook', 'GET', 405],
    ['/poll', 'PUT', 405],
    ['/', 'GET', 404],
    ['/o/hello.git/HEAD', 'GET', 404],
  ] as const)
    t.equal((await fetch(url + path, { method })).status, status, `${method} ${path}`)
  t.equal((await post(`${url}/poll`, '{')).status, 400)
  t.equal((await poll(url, 'r1', 'wrong')).status, 403)
  t.equal((await post(`${url}/poll`, '{"runner_id":"r"}')).status, 403)
  t.equal((await poll(url, '../x')).status, 400)
  t.same(forge.api.lies, [])
})

test('jobs: in turn, as many as may be, and the same commit in two repositories twice', async t => {
  const sandbox = new Sandbox(t)
  const forge = await JciForge.open(t, sandbox)
  const { url, running } = await forge.serve({ JCI_MAX_JOBS: '3' })
  const a = ['a1', 'a2', 'a3'].map(name => forge.repository(name, 'true'))
  const commit = a[0]!
  sandbox.ok('cp', ['-r', 'forge/o/a1.git', 'forge/o/b.git'])
  for (const [name, id] of [
    ['a1', commit],
    ['b', commit],
  ] as const) {
    const { body, headers } = push(name, id)
    t.match(await (await post(`${url}/webhook`, body, headers)).json(), { queued: /./ })
  }
  const other = push('a1', 'e'.repeat(40))
  await post(`${url}/webhook`, other.body, other.headers)
  // In the order they came, but each repository in turn.
  t.match(await given(url), { repo_name: 'a1', commit_sha: commit })
  const both = await Promise.all([given(url, 'r2'), given(url, 'r3')])
  t.same(both.map(job => job?.repo_name).sort(), ['a1', 'b'], 'two polls at once get two jobs')
  const busy = await poll(url, 'r4')
  t.same([busy.status, busy.headers.get('retry-after')], [429, '5'])
  const told = performance.now()
  t.equal((await running.kill('SIGTERM')).code, 0)
  const took = performance.now() - told
  t.ok(took < 4000, `no poll of 5 s keeps a server that is to stop: it took ${Math.round(took)} ms`)
})

test('a job is run and told, with a credential that can do its work and nothing else', async t => {
  const sandbox = new Sandbox(t)
  const forge = await JciForge.open(t, sandbox)
  const commit = forge.repository('hello', 'echo tested; echo kept >kept')
  forge.repository('other', 'true')
  const { url, running } = await forge.serve({ JCI_WEB_URL: 'http://{repo}.web.test/{owner}/' })
  const { body, headers } = push('hello', commit)
  await post(`${url}/webhook`, body, headers)
  const job = (await given(url))!
  t.match(job, { commit_sha: commit, repo_owner: 'o', repo_name: 'hello' })
  t.notMatch(JSON.stringify(job), 'the-token-of-the-forge')
  // Not to be waited for at one stroke: the forge is in this process.
  const run = (program: string, args: string[], cwd = '.', env = {}, input?: string) =>
    sandbox.start(program, args, { cwd, env, ...(input === undefined ? {} : { input }) }).ended
  const clone = (address: string) =>
    run('git', ['-c', 'credential.helper=', 'ls-remote', address], '.', { GIT_TERMINAL_PROMPT: '0' })
  t.equal((await clone(job.clone_url)).code, 0)
  t.equal((await clone(job.clone_url.replace('hello.git', 'other.git'))).code, 128, 'another repository')
  t.equal((await clone(job.clone_url.replace(/.@/, '@'))).code, 128, 'another signature')

  t.equal((await run('git', ['clone', '-q', job.clone_url, 'job'])).code, 0)
  const pushed = (...args: string[]) => run('git', ['push', '-q', ...args], 'job')
  const good = `HEAD:refs/jci-runs/${commit}/1700000000-aaaa`
  for (const bad of [
    'HEAD:refs/heads/evil',
    `HEAD:refs/jci-runs/${'a'.repeat(40)}/1700000000-aaaa`,
    ':refs/heads/main',
    `HEAD:refs/jci-runs/${commit}/x`,
    `HEAD:refs/jci-runs/${commit}/1700000000-aaaa/../../heads/x`,
  ])
    // prettier-ignore
    t.not((await pushed('origin', bad)).code, 0, bad)
  t.not((await pushed('origin', good, 'HEAD:refs/heads/evil')).code, 0, 'not both')
  t.not((await pushed('-o', 'repo.private=false', 'origin', good)).code, 0, 'no options')
  t.same(forge.runs('hello'), [])

  const done = await runJob(sandbox, job)
  t.equal(done.code, 0, done.stderr)
  const ended = performance.now()
  t.match(forge.runs('hello'), [/ ok$/])
  await eventually('told', () => forge.api.statuses.length === 3, 60)
  const late = performance.now() - ended
  // A look is due after 15 s.
  t.ok(late < 10_000, `the status follows its run by ${Math.round(late)} ms`)
  t.match(
    forge.api.statuses.map(({ state, description }) => `${state} ${description}`),
    ['pending jci: queued', 'pending jci: job assigned', 'success jci: job completed'],
  )
  t.equal(forge.api.statuses[2]!.target_url, `http://hello.web.test/o/jci/${commit}`)
  t.equal((await clone(job.clone_url)).code, 128, 'the credential is dead')
  t.same(readdirSync(sandbox.path('db/jobs')), [])
  t.equal((await running.kill('SIGTERM')).code, 0)
  t.same(forge.api.lies, [])
})

test('killed at any time it goes on: no status is lost or doubled, and the credential holds until the end', async t => {
  const sandbox = new Sandbox(t)
  const forge = await JciForge.open(t, sandbox)
  const commit = forge.repository('hello', 'exit 3')
  let { url, running } = await forge.serve()
  let port = new URL(url).port
  const again = async () => {
    await running.kill('SIGKILL')
    // The lock of a killed server is stale after some time.
    ;({ url, running } = await forge.serve({ JCI_LISTEN: `127.0.0.1:${port}` }))
    port = new URL(url).port
  }
  forge.api.fault = ({ path }) => (path.includes('/statuses') ? { status: 503 } : undefined)
  const { body, headers } = push('hello', commit)
  await post(`${url}/webhook`, body, headers)
  await again()
  const job = (await given(url))!
  t.ok(job)
  await again()
  // The runner is there as before.
  await poll(url, 'r1', RUNNER_SECRET, [job.job_id])
  forge.api.fault = () => undefined
  t.equal((await runJob(sandbox, job)).code, 1)
  t.match(forge.runs('hello'), [/ err$/])
  await eventually('told', () => forge.api.statuses.some(({ state }) => state === 'failure'), 60)
  t.equal(forge.api.statuses.filter(({ state }) => state === 'failure').length, 1)
  t.equal(forge.api.statuses.filter(({ description }) => description === 'jci: queued').length <= 1, true)
  t.equal((await running.kill('SIGTERM')).code, 0)
})

test('a runner does jobs here, also where there is nothing to run', async t => {
  const sandbox = new Sandbox(t)
  const forge = await JciForge.open(t, sandbox)
  const { url, running } = await forge.serve()
  const commits = [forge.repository('good', 'echo yes'), forge.repository('none', undefined)]
  for (const [i, name] of ['good', 'none'].entries()) {
    const { body, headers } = push(name, commits[i]!)
    await post(`${url}/webhook`, body, headers)
  }
  const env = {
    JCI_SERVER: url,
    JCI_RUNNER_SECRET: RUNNER_SECRET,
    JCI_RUNNER_DB: sandbox.path('runner'),
    JCI_RUN_IN: 'here',
  }
  const runner = sandbox.start('bin/git-jci', ['runner'], { env })
  await eventually(
    'both are over',
    () => forge.api.statuses.filter(({ state }) => state !== 'pending').length === 2,
    60,
  )
  const ends = new Map(forge.api.statuses.map(({ sha, state }) => [sha, state]))
  t.same(
    commits.map(commit => ends.get(commit)),
    ['success', 'failure'],
  )
  t.match(forge.runs('none'), [/ err$/])
  const bare = sandbox.path('forge/o/none.git')
  const ref = sandbox.git(bare, 'for-each-ref', '--format=%(refname)', 'refs/jci-runs')
  t.match(
    sandbox.git(bare, 'show', `${ref}:run.output.txt`),
    `git-jci: unable to run anything in '${commits[1]!}': there is no '.jci/run.sh'; write one that tests`,
  )
  t.match(readFileSync(sandbox.path('runner/id'), 'utf8'), /^[0-9a-f]{16}\n$/)
  t.equal((await runner.kill('SIGTERM')).code, 0)
  t.equal((await running.kill('SIGTERM')).code, 0)
  t.match(sandbox.run('bin/git-jci', ['runner']), {
    code: 1,
    stderr: 'not set: JCI_SERVER, JCI_RUNNER_SECRET',
  })
})

test('a runner whose directory another has taken says so in one line, with exit code 1', async t => {
  const sandbox = new Sandbox(t)
  const env = {
    JCI_SERVER: 'http://127.0.0.1:1',
    JCI_RUNNER_SECRET: RUNNER_SECRET,
    JCI_RUNNER_DB: sandbox.path('runner'),
    JCI_RUN_IN: 'here',
  }
  const runner = sandbox.start('bin/git-jci', ['runner'], { env })
  await eventually('it runs', () => runner.stderr().includes('asks http'))
  rmdirSync(sandbox.path('runner.lock'))
  t.equal((await runner.ended).code, 1)
  t.same(runner.stderr().match(/fatal: .*/g), [
    `fatal: unable to go on in '${sandbox.path('runner')}': no such file or directory`,
  ])
})

test('passwords, and what a push may hold', t => {
  const key = 'k'.repeat(64)
  const statement = { job: 'j', attempt: 1, owner: 'o', repo: 'r', commit: 'a'.repeat(40), expires: 1000 }
  const password = makePassword(key, statement)
  t.same(checkPassword(key, password, 999), statement)
  t.equal(checkPassword(key, password, 1000), undefined)
  t.equal(checkPassword('other', password, 1), undefined)
  for (const bad of ['', '.', 'x', `${password}x`, `${password}.x`, password.split('.')[0]!])
    t.equal(checkPassword(key, bad, 1), undefined, bad)
  const line = (text: string) => (text.length + 4).toString(16).padStart(4, '0') + text
  const zero = '0'.repeat(40)
  const ref = `refs/jci-runs/${statement.commit}/1700000000-aaaa`
  const ask = (...lines: string[]) =>
    whyNot(parseCommands(Buffer.from(`${lines.map(line).join('')}0000PACK`))!, statement)
  t.equal(ask(`${zero} ${'b'.repeat(40)} ${ref}\0report-status agent=git/2`), undefined)
  t.equal(ask(`shallow ${'c'.repeat(40)}`, `${zero} ${'b'.repeat(40)} ${ref}\0x`), undefined)
  t.match(ask(`${zero} ${'b'.repeat(40)} ${ref}\0push-options x`), /options/)
  t.match(ask(`${'b'.repeat(40)} ${zero} ${ref}\0x`), /removes/)
  t.match(ask(`${zero} ${'b'.repeat(40)} refs/heads/main\0x`), /nothing but/)
  t.match(ask(`${zero} ${'b'.repeat(40)} ${ref}\0x`, `${zero} ${'b'.repeat(40)} refs/heads/x`), /nothing but/)
  t.match(ask('push-cert\0x'), /nothing but/)
  for (const none of ['zzzz', '0003', '00100000', ''])
    t.equal(parseCommands(Buffer.from(none)), undefined, none)
  t.end()
})
