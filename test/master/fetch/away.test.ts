// A forge that is away, by a clock that is moved; and what a forge says of a token that has run out, and of another name.

import fs, { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'tap'

import { TIMER_MAX_MS } from '../../../lib/base/timer.ts'
import { openTasks } from '../../../lib/spool/spool.ts'
import { fetcher } from '../../../master/fetcher.ts'
import { Fetching } from '../../../master/fetch/fetching.ts'
import { forgeProjects } from '../../../master/fetch/project.ts'
import { call } from '../../fixtures/in-process.ts'
import { started } from '../../fixtures/forge-site.ts'

const HOUR = 3600_000

test('a forge that is away for an hour is asked ever less often, which is said once; then all of it is made', async t => {
  const { site, first } = await started(t)
  site.takeEvents()
  const [main, topic] = [site.commit(), site.git(site.work, 'rev-parse', 'HEAD')]
  site.push('main', 'main:topic', 'main:refs/pull/7/head')
  renameSync(site.remote, `${site.remote}.away`)
  await site.pushed('refs/heads/main', first, main)
  await site.pushed('refs/heads/topic', null, topic)
  await site.pulled({ head: main, base: first, fork: false })
  let rounds = 0
  const early: string[] = []
  // What is printed within is not seen by whoever counts tests.
  const fetchForAnHour = async () => {
    let clock = 0
    const spool = openTasks()
    const [project] = forgeProjects(spool, ['hello']).projects
    const fetching = new Fetching(spool, project!, new AbortController().signal, () => clock)
    while (clock < HOUR) {
      clock += await fetching.round()
      rounds++
      early.push(...Object.keys(site.events()))
    }
    renameSync(`${site.remote}.away`, site.remote)
    await fetching.round()
    return 0
  }
  // Messages are written to the descriptor itself.
  const { writeSync } = fs
  let stderr = ''
  t.teardown(() => Object.assign(fs, { writeSync }))
  Object.assign(fs, {
    writeSync: (fd: number, text: string) => {
      if (fd !== 2) return writeSync(fd, text)
      stderr += text
      return text.length
    },
  })
  await call({ main: fetchForAnHour }, [], site.env)
  Object.assign(fs, { writeSync })
  t.same(early, [])
  t.ok(rounds >= 12 && rounds <= 20, `${rounds} times in an hour`)
  t.equal(stderr.match(/it is tried again/g)?.length, 1)
  t.match(stderr, /hello: the forge answers again/)
  const events = Object.keys(site.events()).sort()
  t.same(events, [`refs/heads/main/${main}`, `refs/heads/topic/${topic}`, `refs/pull/7/head/${main}`])
})

test('a fetcher that looks every two months comes again when a timer can wake it, not at once', async t => {
  const { site } = await started(t, 'FORGE_POLL=60d\n')
  const pauses: number[] = []
  const fetchTwice = async () => {
    const spool = openTasks()
    const [project] = forgeProjects(spool, ['hello']).projects
    const fetching = new Fetching(spool, project!, new AbortController().signal, () => 0)
    for (let i = 0; i < 2; i++) pauses.push(await fetching.round())
    return 0
  }
  await call({ main: fetchTwice }, [], site.env)
  t.same(pauses, [TIMER_MAX_MS, TIMER_MAX_MS])
})

test('a change of 300 commits is one event of its head, compared with where it left its target', async t => {
  const { site, first } = await started(t)
  site.takeEvents()
  site.git(site.work, 'checkout', '-q', '-b', 'topic')
  const stream = Array.from({ length: 300 }, (_, i) => {
    const file = `data 1\n${i % 10}\n`
    return `commit refs/heads/topic\ncommitter A <a@x> ${1e9 + i} +0000\ndata 1\nx\n${i === 0 ? `from ${first}\n` : ''}M 644 inline d${i}/file\n${file}`
  })
  site.ok('git', ['fast-import', '--quiet', '--force'], { cwd: site.work, input: stream.join('') })
  const head = site.git(site.work, 'rev-parse', 'topic')
  site.push('topic:refs/pull/7/head')
  await site.pulled({ head, base: first, fork: false })
  await site.fetch()
  t.same(Object.keys(site.events()), [`refs/pull/7/head/${head}`])
  t.match(site.events()[`refs/pull/7/head/${head}`], `BASE=${first}`)
})

test('deliveries of a repository that was renamed on the forge count as before', async t => {
  const { site, first } = await started(t)
  site.takeEvents()
  const next = site.commit()
  site.push('main')
  // The forge names it anew in its deliveries, and answers by its old name as well.
  const moved = { before: first, after: next, pusher: { name: 'ada' } }
  const { status } = await site.post('push', {
    ref: 'refs/heads/main',
    ...moved,
    repository: { full_name: 'o/renamed' },
  })
  t.equal(status, 202)
  await site.fetch()
  t.same(Object.keys(site.events()), [`refs/heads/main/${next}`])
})

test('a token that has run out is said, without it, and nothing is lost', async t => {
  const refusing = createServer((_, response) => {
    response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="forge"' }).end()
  })
  await new Promise<void>(done => refusing.listen(0, '127.0.0.1', done))
  t.teardown(() => {
    refusing.closeAllConnections()
    refusing.close()
  })
  const { site, first } = await started(t)
  site.takeEvents()
  const next = site.commit()
  site.push('main')
  await site.pushed('refs/heads/main', first, next)
  const url = `http://127.0.0.1:${(refusing.address() as AddressInfo).port}`
  const rc = readFileSync(site.path('spool/conf/hello/rc'), 'utf8')
  writeFileSync(
    site.path('spool/conf/hello/rc'),
    `${rc}FORGE='github:${url}/o/r'\nFORGE_TOKEN=run_out_token\n`,
  )
  const { code, stderr } = await site.start('master/bin/fetcher', ['--once']).ended
  t.equal(code, 100)
  t.match(stderr, /unable to fetch from 'http:.*(401|[Aa]uthentication|could not read)/)
  t.notMatch(stderr, 'run_out_token')
  t.same(site.ls('spool/inbox/hello/doing').length, 1)
  writeFileSync(site.path('spool/conf/hello/rc'), rc)
  await site.fetch()
  t.same(Object.keys(site.events()), [`refs/heads/main/${next}`])
})

test('a delivery that is stored again after it was worked off makes no event again', async t => {
  const { site, first } = await started(t)
  const next = site.commit()
  site.push('main')
  await site.pushed('refs/heads/main', first, next, 'twice')
  const stored = site.files('inbox/hello/new')['twice']!
  await site.fetch()
  t.equal(site.takeEvents().includes(`refs/heads/main/${next}`), true)
  // As a receiver does that stood still while its forge sent this to another.
  writeFileSync(site.path('spool/inbox/hello/new/twice'), stored)
  await site.fetch()
  t.same([site.events(), site.files('inbox/hello/new'), site.files('inbox/hello/doing')], [{}, {}, {}])
})

test('a mirror whose git was killed has not said that there is no commit', async t => {
  const { site, first } = await started(t, 'FORGE_POLL=0\n')
  site.takeEvents()
  const next = site.commit()
  site.push('main')
  await site.pushed('refs/heads/main', first, next)
  const git = site.ok('sh', ['-c', 'command -v git']).trim()
  const killed = site.path('killed')
  mkdirSync(site.path('shims'))
  // As where memory runs out, once.
  const script = `case $* in *'^{commit}'*) [ -e '${killed}' ] || { : >'${killed}'; kill -KILL $$; } ;; esac\nexec '${git}' "$@"\n`
  writeFileSync(site.path('shims/git'), `#!/bin/sh\n${script}`, { mode: 0o755 })
  site.env['PATH'] = `${site.path('shims')}:${site.env['PATH']}`
  t.equal((await call(fetcher, ['--once'], site.env)).code, 111)
  t.ok(existsSync(killed))
  await site.fetch()
  t.same(site.takeEvents(), [`refs/heads/main/${next}`])
})

test('a delivery that comes while the secret cannot be read is to be sent again', async t => {
  const { site, first } = await started(t)
  const next = site.commit()
  renameSync(site.path('secret'), site.path('secret.new'))
  const { status, text } = await site.pushed('refs/heads/main', first, next, 'one')
  t.equal(status, 503)
  t.match(text, 'send it again')
  renameSync(site.path('secret.new'), site.path('secret'))
  t.equal((await site.pushed('refs/heads/main', first, next, 'one')).status, 202)
})
