// A job's credential goes to the server that it is for, and nowhere else.

import { once } from 'node:events'
import { createServer } from 'node:http'
import type { RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { test } from 'tap'
import type { Test } from 'tap'

import { JciForge } from '../../fixtures/jci-forge.ts'
import { ROOT, Sandbox } from '../../fixtures/sandbox.ts'

async function serve(t: Test, answer: RequestListener): Promise<URL> {
  const server = createServer(answer).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
}

const login = `Basic ${Buffer.from('jci:the password/%').toString('base64')}`

test('a server that sends git elsewhere sends no credential along', async t => {
  const sandbox = new Sandbox(t)
  const met: string[] = []
  const packet = (text: string) => (text.length + 4).toString(16).padStart(4, '0') + text
  const hello = `${packet('# service=git-upload-pack\n')}0000${packet(`${'a'.repeat(40)} refs/heads/main\0shallow\n`)}0000`
  // It lets git in, which then asks it for more without being sent there again.
  const elsewhere = await serve(t, (request, response) => {
    met.push(`${request.method!} ${request.headers.authorization ?? 'nothing'}`)
    response.writeHead(request.method === 'GET' ? 200 : 401, {
      'Content-Type': 'application/x-git-upload-pack-advertisement',
      'WWW-Authenticate': 'Basic realm="elsewhere"',
    })
    response.end(request.method === 'GET' ? hello : '')
  })
  let letIn = 0
  const first = await serve(t, (request, response) => {
    if (request.headers.authorization !== login) {
      response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="first"' }).end()
      return
    }
    letIn++
    // Git may come back here with what it asks next.
    if (request.method === 'POST') response.writeHead(403).end()
    else response.writeHead(302, { Location: new URL(request.url!, elsewhere).href }).end()
  })
  const clone = Object.assign(new URL('/o/hello.git', first), { username: 'jci', password: 'the password/%' })
  const { code, stderr } = await sandbox.start('node', [join(ROOT, 'dist/bin/jci/runner/job.js')], {
    input: JSON.stringify({ clone_url: clone.href, commit_sha: 'a'.repeat(40) }),
    env: { BASS_ROOT: ROOT, GIT_TERMINAL_PROMPT: '0' },
  }).ended
  t.not(code, 0)
  t.match(stderr, 'unable to fetch the commit')
  t.ok(letIn > 0, 'the first was told it')
  t.match(met, [/^GET/])
  t.same(
    met.filter(text => !text.endsWith(' nothing')),
    [],
  )
})

test('a script can fetch more of its repository, and finds no credential in arguments or its environment', async t => {
  const sandbox = new Sandbox(t)
  const forge = await JciForge.open(t, sandbox)
  const script = `cd "$JCI_REPO_ROOT"; git fetch -q origin main && echo fetched
env; git config --list; cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n'`
  const commit = forge.repository('hello', script)
  const clone = Object.assign(new URL(`${forge.url}/o/hello.git`), {
    username: 'ci',
    password: 'the-token-of-the-forge',
  })
  const { code, stdout, stderr } = await sandbox.start('node', [join(ROOT, 'dist/bin/jci/runner/job.js')], {
    input: JSON.stringify({ clone_url: clone.href, commit_sha: commit }),
    env: { BASS_ROOT: ROOT },
  }).ended
  t.equal(code, 0, stderr)
  t.match(stdout, /^fetched\n/m)
  t.match(stdout, 'jci-credential')
  t.notMatch(stdout, 'the-token-of-the-forge')
})
