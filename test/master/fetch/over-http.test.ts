// From a git server over HTTP, as forges are: who is let in, what is said of the others, and where the token is seen.

import { readdirSync, readFileSync, readlinkSync, renameSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { test } from 'tap'
import type { Test } from 'tap'

import { GitOverHttp } from '../../fixtures/forges/git-over-http.ts'
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
