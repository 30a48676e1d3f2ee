import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { test } from 'tap'

import { serveGit } from '../../../bin/demo/git-http.ts'
import { Notified } from '../../fixtures/notified.ts'
import { eventually } from '../../fixtures/sandbox.ts'

/** A site whose jobs become refs, the commit that is tested, and the refs of a repository. */
function scene(t: ConstructorParameters<typeof Notified>[0], more: Record<string, string> = {}) {
  const site = new Notified(t)
  const [code, mirror, forge] = [site.path('code'), site.path('mirror.git'), site.path('forge.git')]
  site.ok('git', ['init', '-q', '-b', 'main', code])
  site.ok('git', ['commit', '-q', '--allow-empty', '-m', 'begin'], { cwd: code })
  const revision = site.git(code, 'rev-parse', 'HEAD')
  site.ok('git', ['clone', '-q', '--bare', code, mirror])
  site.ok('git', ['clone', '-q', '--bare', code, forge])
  const settings = { NOTIFY_REFS: 'yes', PROJ: mirror, FORGE: `git:${forge}`, ...more }
  site.configure(settings)
  const runsOf = (repository: string) =>
    site
      .git(repository, 'for-each-ref', '--format=%(refname)', 'refs/jci-runs')
      .split('\n')
      .filter(ref => ref !== '')
  const show = (ref: string, path: string) => site.git(mirror, 'show', `${ref}:${path}`)
  return { site, settings, revision, mirror, forge, runsOf, show }
}

test('each finished job is a commit under refs/jci-runs, here and on the forge', async t => {
  const { site, revision, mirror, forge, runsOf, show } = scene(t)
  await site.notifier()
  const steps = [
    { name: '10-build', exit: '0', stdout: ['built <it>'], stderr: ['a warning'] },
    { name: '20-test', exit: '1', stdout: ['one failed'] },
  ]
  // What a job leaves does not stand in for what is said of it.
  const artifacts = { 'status.txt': 'ok\n', 'report/index.html': '<h1>Report</h1>' }
  const name = site.end('failure', { revision, steps, artifacts })
  await site.settled()
  const [ref = '', ...more] = runsOf(mirror)
  t.same(more, [])
  t.match(ref, new RegExp(`^refs/jci-runs/${revision}/\\d+-[0-9a-f]{4}$`))
  t.same(runsOf(forge), [ref])
  t.equal(show(ref, 'status.txt'), 'err')
  t.equal(show(ref, 'task.txt'), name)
  t.equal(show(ref, 'artifacts/status.txt'), 'ok')
  t.equal(show(ref, 'artifacts/report/index.html'), '<h1>Report</h1>')
  const log = show(ref, 'run.output.txt')
  t.match(log, new RegExp(`commit: ${revision}\n`))
  t.match(log, /== 10-build\nbuilt <it>\na warning\n== 20-test\none failed\n/)
  t.match(log, /result: err \(failure\)$/)
  t.match(show(ref, 'index.html'), /built &lt;it&gt;/)

  site.end('success', { revision })
  await site.settled()
  const second = runsOf(mirror).find(other => other !== ref) ?? ''
  t.equal(show(second, 'status.txt'), 'ok')
  t.same(runsOf(forge).sort(), runsOf(mirror).sort())
})

test('a forge that is away gets each run once when it is back, and what it refuses holds up no other', async t => {
  const { site, settings, revision, mirror, forge, runsOf } = scene(t)
  site.configure({ ...settings, FORGE: `git:${forge}.away` })
  const notifier = await site.notifier()
  site.end('success', { revision })
  await eventually('it is stored here', () => runsOf(mirror).length === 1)
  await eventually('the forge is away', () => notifier.stderr().includes('forge.git.away'))
  site.ok('mv', [forge, `${forge}.away`])
  await site.settled()
  t.same(runsOf(`${forge}.away`), runsOf(mirror))
  t.equal(runsOf(mirror).length, 1, 'tried again, it is the same run')

  writeFileSync(join(`${forge}.away`, 'hooks/pre-receive'), '#!/bin/sh\nexit 1\n', { mode: 0o755 })
  site.end('success', { revision })
  site.end('failure', { revision })
  await eventually('both are stored here', () => runsOf(mirror).length === 3)
  t.match(notifier.stderr(), /pre-receive hook declined/)
})

test('what ended meanwhile is stored; links stay links, and what git cannot hold stays out', async t => {
  const { site, revision, mirror, runsOf, show } = scene(t)
  await (await site.notifier()).kill('SIGKILL')
  const name = site.end('success', { revision, artifacts: { 'a file': 'x' } })
  const artifacts = join(site.spool.jobs.cur, name, 'artifacts')
  symlinkSync('/etc/passwd', join(artifacts, 'link'))
  site.ok('mkfifo', [join(artifacts, 'pipe')])
  mkdirSync(join(artifacts, '.git'))
  writeFileSync(join(artifacts, '.git/config'), 'no')
  await site.notifier()
  await site.settled()
  const [ref = ''] = runsOf(mirror)
  t.equal(show(ref, 'artifacts/link'), '/etc/passwd')
  t.same(site.git(mirror, 'ls-tree', '--name-only', ref, 'artifacts/').split('\n'), [
    'artifacts/a file',
    'artifacts/link',
  ])
})

test('a run is pushed over HTTP with the token, which is in no message', async t => {
  const { site, settings, revision, mirror, forge, runsOf } = scene(t)
  const server = createServer((request, response) => {
    const { authorization } = request.headers
    const password = Buffer.from((authorization ?? '').replace('Basic ', ''), 'base64')
      .toString()
      .split(':')[1]
    if (password === 'the_token') serveGit(site.dir, request, response, 'ci')
    else response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="forge"' }).end()
  })
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  site.ok('mkdir', ['-p', site.path('o')])
  site.ok('mv', [forge, site.path('o/r.git')])
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  site.configure({ ...settings, FORGE: `gitea:${url}/o/r`, FORGE_TOKEN: 'another' })
  const notifier = await site.notifier()
  site.end('success', { revision })
  await eventually('it is refused', () =>
    /unable to push runs to 'http.*(401|Authentication)/.test(notifier.stderr()),
  )
  site.end('failure', { revision })
  await eventually('the next is stored here all the same', () => runsOf(mirror).length === 2)
  t.same(runsOf(site.path('o/r.git')), [])
  t.notMatch(notifier.stderr(), /another/, 'no token is in a message')
  site.configure({ ...settings, FORGE: `gitea:${url}/o/r`, FORGE_TOKEN: 'the_token' })
  await notifier.kill()
  await site.notifier()
  await eventually('it is pushed', () => runsOf(site.path('o/r.git')).length === 2, 60)
  t.same(runsOf(site.path('o/r.git')), runsOf(mirror))
})
