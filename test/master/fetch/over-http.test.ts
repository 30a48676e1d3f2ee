// From a git server over HTTP, as forges are: who is let in, what is said of the others, and where the token is seen.

import { readdirSync, readFileSync, readlinkSync, renameSync, writeFileSync } from 'node:fs'
import { request as ask } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { test } from 'tap'
import type { Test } from 'tap'

import { giteaPull } from '../../fixtures/forges/payloads.ts'
import { checkForges } from '../../../bin/doctor/forges.ts'
import { GitOverHttp } from '../../fixtures/forges/git-over-http.ts'
import { StandIn } from '../../fixtures/forges/stand-in.ts'
import { lacks } from '../../fixtures/sandbox.ts'
import { ForgeSite } from '../../fixtures/forge-site.ts'

const TOKEN = 'nobody_reads_this_token'
const BASIC = Buffer.from(`x-access-token:${TOKEN}`).toString('base64')

/** A site whose code is on a git server that lets in whoever has the token, which is in a file. */
async function served(t: Test) {
  const site = new ForgeSite(t, 'FORGE_POLL=0\n')
  const git = await GitOverHttp.open(t, site.path('forge'))
  git.let = `x-access-token:${TOKEN}`
  const rc = join(site.spool.root, 'conf/hello/rc')
  const token = site.path('token')
  writeFileSync(rc, `${readFileSync(rc, 'utf8')}FORGE='github:${git.url}/o/r'\nFORGE_TOKEN_FILE='${token}'\n`)
  writeFileSync(token, `${TOKEN}\n`)
  const first = site.commit()
  site.push('main')
  return { site, git, rc, token, first }
}

const fetchOnce = (site: ForgeSite, ...more: string[]) =>
  site.start('master/bin/fetcher', ['--once', ...more]).ended

/** The arguments of all processes below the site's directory, which are ours. */
function argumentsOf(site: ForgeSite): string[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .flatMap(pid => {
      try {
        if (!readlinkSync(`/proc/${pid}/cwd`).startsWith(site.dir)) return []
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
      } catch {
        // It has ended meanwhile.
        return []
      }
    })
}

test('the token is sent to its server, and seen in no argument, message or file', async t => {
  const { site, git, first } = await served(t)
  const seen: string[] = []
  git.instead = () => {
    seen.push(...argumentsOf(site))
    return false
  }
  const { code, stderr, stdout } = await fetchOnce(site)
  t.match({ code }, { code: 0 }, stderr)
  t.same(Object.keys(site.events()), [`refs/heads/main/${first}`])
  t.ok(
    seen.some(line => /\bgit\b.* fetch .*http:/.test(line)),
    'a git that fetches was seen',
  )
  const files = Object.entries({ ...site.files('.'), ...mirrorFiles(site) })
  t.ok(files.length > 5)
  for (const secret of [TOKEN, BASIC]) {
    t.notOk(
      seen.some(line => line.includes(secret)),
      'in no argument',
    )
    t.notMatch(stdout + stderr, secret)
    t.same(
      files.filter(([, text]) => text.includes(secret)).map(([path]) => path),
      [],
    )
  }
})

/** The settings of the mirror, where a git that was told a token by its URL keeps it. */
const mirrorFiles = (site: ForgeSite) => ({
  config: readFileSync(site.path('mirror.git/config'), 'utf8'),
  HEAD: readFileSync(site.path('mirror.git/HEAD'), 'utf8'),
})

test('a token that is wrong or missing is refused for good, and one that is put in its place counts at once', async t => {
  const { site, git, rc, token, first } = await served(t)
  writeFileSync(token, 'another_token\n')
  const wrong = await fetchOnce(site)
  t.match(wrong, { code: 100, stderr: /warning: hello: unable to look at 'http:.*Authentication failed/ })
  t.notMatch(wrong.stderr, 'another_token')
  t.ok(git.asked.some(({ who }) => who === 'x-access-token:another_token'))
  writeFileSync(token, '\n')
  t.match(await fetchOnce(site), { code: 100, stderr: /FORGE_TOKEN_FILE.*its file holds no token/ })
  const settings = readFileSync(rc, 'utf8')
  writeFileSync(rc, settings.replace(/^FORGE_TOKEN_FILE.*$/m, ''))
  t.match(await fetchOnce(site), { code: 100, stderr: /unable to look at 'http:/ })
  t.same(site.events(), {})
  writeFileSync(rc, settings)
  writeFileSync(token, TOKEN)
  t.match(await fetchOnce(site), { code: 0 })
  t.same(Object.keys(site.events()), [`refs/heads/main/${first}`])
})

test('a server that is away or broken is worth another try, one without the repository is not; other projects go on', async t => {
  const { site, git, rc, first } = await served(t)
  const other = join(site.spool.root, 'conf/other/rc')
  site.ok('mkdir', ['-p', join(site.spool.root, 'conf/other')])
  const settings = readFileSync(rc, 'utf8')
  const ofOther = settings.replaceAll('hello', 'other').replaceAll('mirror.git', 'other.git')
  writeFileSync(other, `${ofOther}FORGE='git:${site.remote}'\nFORGE_TOKEN_FILE=\n`)
  const answer = (status: number) => (_: IncomingMessage, response: ServerResponse) => {
    response.writeHead(status).end()
    return true
  }
  for (const [status, wanted] of [
    [503, 111],
    [429, 111],
    [403, 100],
    [404, 100],
  ] as const) {
    git.instead = answer(status)
    const { code, stderr } = await fetchOnce(site, 'hello', 'other')
    t.equal(code, wanted, `${status}: ${stderr}`)
  }
  t.same(Object.keys(site.files('revs/other')), [`refs/heads/main/${first}`])
  git.instead = (request, response) => {
    request.socket.destroy()
    return !response.writableEnded
  }
  t.match(await fetchOnce(site), { code: 111 })
  renameSync(site.remote, `${site.remote}.away`)
  git.instead = answer(404)
  t.match(await fetchOnce(site, '--look'), { code: 111 }, 'one may be tried again')
  t.match(await fetchOnce(site, 'hello'), { code: 100 })
})

test('a project whose settings cannot be used holds up no other', async t => {
  const { site, first } = await served(t)
  site.ok('mkdir', ['-p', join(site.spool.root, 'conf/a-bad-one')])
  writeFileSync(join(site.spool.root, 'conf/a-bad-one/rc'), 'FORGE=nonsense\n')
  t.match(await fetchOnce(site), { code: 100, stderr: /warning: unable to fetch for 'a-bad-one': .*FORGE/ })
  t.same(Object.keys(site.events()), [`refs/heads/main/${first}`])
})

test('another server, to which the forge sends, never gets the token', async t => {
  const { site, git } = await served(t)
  const other = await GitOverHttp.open(t, site.path('forge'))
  git.instead = (request, response) => {
    response.writeHead(302, { Location: `http://localhost:${other.port}${request.url}` }).end()
    return true
  }
  t.match(await fetchOnce(site), { code: 0 })
  t.ok(other.asked.length > 0, 'it is asked, without')
  t.same(
    other.asked.filter(({ who }) => who !== undefined),
    [],
  )
})

test(
  'over https with a CA of our own, git and the API are reached where conf/rc names it, and only there',
  { skip: lacks('openssl') },
  async t => {
    const { site, git, rc, first } = await served(t)
    const standIn = await StandIn.open(t, 'gitea')
    git.let = `oauth2:${TOKEN}`
    const url = await overHttps(t, site, ({ url }) => (url?.startsWith('/api/') ? standIn.url : git.url))
    writeFileSync(rc, `FORGE='gitea:${url}/o/r'\nFORGE_TRUST=members\n`, { flag: 'a' })
    const common = join(site.spool.root, 'conf/rc')
    site.env['BASS_RC'] = common
    writeFileSync(common, '')
    const stranger = await fetchOnce(site)
    t.match(stranger, { code: 111, stderr: /certificate/ })
    const env = { FORGE: `gitea:${url}/o/r`, FORGE_TOKEN: TOKEN, PROJ: site.path('mirror.git') }
    t.match(JSON.stringify(await checkForges([{ name: 'hello', rc, env }])), /export NODE_EXTRA_CA_CERTS=/)
    writeFileSync(
      common,
      `export NODE_EXTRA_CA_CERTS='${site.path('ca.pem')}' GIT_SSL_CAINFO='${site.path('ca.pem')}'\n`,
    )
    t.match(await fetchOnce(site), { code: 0 })
    t.same(Object.keys(site.events()), [`refs/heads/main/${first}`])
    const head = site.commit()
    site.push('HEAD:refs/pull/7/head')
    standIn.permissions.set('ada', 'write')
    const payload = giteaPull('opened')
    const pull = payload.pull_request as Record<string, { repo?: unknown; sha: string }>
    Object.assign(pull['head']!, { sha: head, repo: null })
    Object.assign(pull['base']!, { sha: first, ref: 'main' })
    Object.assign(payload, { number: 7 })
    Object.assign(pull, { number: 7, user: { login: 'ada', id: 9 } })
    const content = `${JSON.stringify([['x-gitea-event', 'pull_request']])}\n${JSON.stringify(payload)}`
    writeFileSync(site.path('spool/inbox/hello/new/asked'), content)
    t.match(await fetchOnce(site), { code: 0 })
    t.ok(standIn.asked.some(({ headers }) => headers.authorization === `token ${TOKEN}`))
    t.ok(Object.keys(site.events()).includes(`refs/pull/7/head/${head}`), 'the API says that ada may push')
    t.same(standIn.lies, [])
  },
)

/** A server over https in front of others, whose certificate is of a CA in `ca.pem`; answers its address. */
async function overHttps(
  t: Test,
  site: ForgeSite,
  to: (request: IncomingMessage) => string,
): Promise<string> {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  site.ok('openssl', [
    'req',
    '-x509',
    ...key,
    '-days',
    '2',
    '-subj',
    '/CN=ours',
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
  ])
  site.ok('openssl', ['req', ...key, '-subj', '/CN=localhost', '-keyout', 'key.pem', '-out', 'csr.pem'])
  writeFileSync(site.path('names'), 'subjectAltName=DNS:localhost\n')
  const signed = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', 'names', '-days', '2']
  site.ok('openssl', ['x509', '-req', '-in', 'csr.pem', '-out', 'cert.pem', ...signed])
  const [certKey, cert] = ['key.pem', 'cert.pem'].map(name => readFileSync(site.path(name)))
  const server = createServer({ key: certKey!, cert: cert! }, (request, response) => {
    const { method, headers } = request
    const passed = ask(`${to(request)}${request.url}`, { method, headers }, answer => {
      response.writeHead(answer.statusCode!, answer.headers)
      answer.pipe(response)
    })
    request.pipe(passed.on('error', () => response.destroy()))
  })
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `https://localhost:${(server.address() as AddressInfo).port}`
}
