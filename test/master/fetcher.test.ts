// From a delivery to events: a real git repository, the receiver and the fetcher as they are.

import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { ForgeSite, started } from '../fixtures/forge-site.ts'

const HEAD = 'refs/pull/7/head'

test('the first look builds the default branch alone', async t => {
  const site = new ForgeSite(t)
  const tip = site.commit()
  site.push('main', 'main:refs/heads/other', 'main:refs/tags/v1', `main:${HEAD}`)
  await site.fetch()
  t.same(site.events(), { [`refs/heads/main/${tip}`]: '' })
  await site.fetch()
  t.equal(site.takeEvents().length, 1)
  await site.fetch()
  t.same(site.events(), {}, 'and does so once')
  t.equal(site.git(site.path('mirror.git'), 'symbolic-ref', 'HEAD'), 'refs/heads/main')
})

test('a push becomes an event that says what it is compared with, once, whichever way it is heard of', async t => {
  const { site, first } = await started(t)
  site.takeEvents()
  const next = site.commit()
  site.push('main')
  t.match(await site.pushed('refs/heads/main', first, next), { status: 202 })
  await site.fetch()
  t.same(site.events(), { [`refs/heads/main/${next}`]: `BASE=${first}\nPUSHER=ada\n` })
  site.takeEvents()
  await site.pushed('refs/heads/main', first, next)
  await site.fetch()
  t.same(site.events(), {}, 'another delivery of the same')
})

test('what no delivery told of is found by looking', async t => {
  const { site, first } = await started(t)
  site.takeEvents()
  const next = site.commit()
  site.push('main', 'main:refs/heads/new', 'main:refs/tags/v1')
  await site.fetch()
  t.same(site.events(), {
    [`refs/heads/main/${next}`]: `BASE=${first}\n`,
    [`refs/heads/new/${next}`]: `BASE=${next}\n`,
    [`refs/tags/v1/${next}`]: '',
  })
  site.takeEvents()
  await site.pushed('refs/heads/main', first, next)
  await site.fetch()
  t.same(site.events(), {}, 'the delivery that comes after all changes nothing')
})

test('with FORGE_POLL=0 only deliveries count', async t => {
  const { site, first } = await started(t, 'FORGE_POLL=0\n')
  site.takeEvents()
  const next = site.commit()
  site.push('main')
  await site.fetch()
  t.same(site.events(), {})
  await site.pushed('refs/heads/main', first, next)
  await site.fetch()
  t.same(Object.keys(site.events()), [`refs/heads/main/${next}`])
})

test('a delivery that is sent again is the same one', async t => {
  const { site, first } = await started(t)
  const next = site.commit()
  t.match(await site.pushed('refs/heads/main', first, next, 'X-1'), { status: 202, text: 'stored as X-1\n' })
  t.match(await site.pushed('refs/heads/main', first, next, 'X-1'), { status: 202, text: /was here before/ })
  t.same(site.ls('spool/inbox/hello/new'), ['X-1'])
  site.push('main')
  await site.fetch()
  t.match(await site.pushed('refs/heads/main', first, next, 'X-1'), { text: /was here before/ })
  t.same(site.ls('spool/inbox/hello/new'), [])
  t.ok(site.ls('spool/inbox/hello/done').includes('X-1'))
})

test('nothing is stored of what is not signed, too large, no delivery, or for a project that is not there', async t => {
  const site = new ForgeSite(t)
  const table: [unknown, Parameters<ForgeSite['post']>[2], number][] = [
    [{}, { secret: 'another' }, 401],
    [{}, { project: 'nowhere' }, 404],
    [{}, { project: '..' }, 404],
    ['x'.repeat(25 * 1024 * 1024 + 1), {}, 413],
    ['{"ref":', {}, 400],
    [{ ref: 'refs/heads/a..b' }, {}, 400],
  ]
  for (const [payload, options, wanted] of table)
    t.equal((await site.post('push', payload, options)).status, wanted, JSON.stringify(options))
  t.match(await site.post('ping', { zen: 'x' }), { status: 200, text: /pong/ })
  t.match(await site.post('star', {}), { status: 202, text: /of no interest/ })
  t.same(site.ls('spool/inbox'), [])
  t.same(site.ls('spool/tasks/tmp'), [])
  const largest = JSON.stringify({ ref: 'refs/heads/main', before: 'a'.repeat(40), after: 'b'.repeat(40) })
  t.equal((await site.post('push', largest + ' '.repeat(25 * 1024 * 1024 - largest.length))).status, 202)
})

test('no secret, signature or cookie is kept with a delivery', async t => {
  const { site, first } = await started(t)
  await site.pushed('refs/heads/main', first, first, 'X-1')
  const text = readFileSync(join(site.spool.root, 'inbox/hello/new/X-1'), 'utf8').split('\n')[0]!
  t.match(text, /x-github-event/)
  t.notMatch(text, /signature|token|cookie/i)
})

test('a force push between the delivery and the fetch: what is there counts', async t => {
  const { site, first } = await started(t)
  site.takeEvents()
  const lost = site.commit()
  await site.pushed('refs/heads/main', first, lost)
  site.git(site.work, 'reset', '-q', '--hard', first)
  const stands = site.commit()
  site.push('main')
  await site.pushed('refs/heads/main', lost, stands)
  await site.fetch()
  t.same(site.events(), { [`refs/heads/main/${stands}`]: `BASE=${first}\nPUSHER=ada\n` })
})

test('a branch that is deleted makes no event, and is new when it comes back', async t => {
  const { site, first } = await started(t)
  site.takeEvents()
  site.git(site.work, 'checkout', '-q', '-b', 'topic')
  const tip = site.commit()
  site.push('topic')
  await site.pushed('refs/heads/topic', null, tip)
  await site.fetch()
  t.same(site.events(), { [`refs/heads/topic/${tip}`]: `BASE=${first}\nPUSHER=ada\n` })
  site.takeEvents()
  site.push(':refs/heads/topic')
  await site.pushed('refs/heads/topic', tip, null)
  await site.pushed('refs/heads/gone', null, tip)
  await site.fetch()
  t.same(site.events(), {})
  t.equal(site.git(site.path('mirror.git'), 'for-each-ref', '--format=%(refname)'), 'refs/heads/main')
})

test('an annotated tag is an event of its commit, compared with nothing', async t => {
  const { site, first } = await started(t)
  site.takeEvents()
  site.git(site.work, 'tag', '-a', '-m', 'one', 'v1')
  site.push('v1')
  await site.pushed('refs/tags/v1', null, site.git(site.work, 'rev-parse', 'v1'))
  await site.fetch()
  t.same(site.events(), { [`refs/tags/v1/${first}`]: 'PUSHER=ada\n' })
})

test('while the forge is away nothing is lost, and it is said once', async t => {
  const { site, first } = await started(t)
  site.takeEvents()
  const next = site.commit()
  site.push('main')
  renameSync(site.remote, `${site.remote}.away`)
  await site.pushed('refs/heads/main', first, next)
  const { code, stderr } = site.run('master/bin/fetcher', ['--once'])
  t.equal(code, 111)
  t.match(stderr, /warning: hello: unable to fetch from 'https:\/\/github\.com\/o\/r\.git'/)
  t.same(site.events(), {})
  renameSync(`${site.remote}.away`, site.remote)
  await site.fetch()
  t.same(Object.keys(site.events()), [`refs/heads/main/${next}`])
})

test('git: is looked at, and needs no webhook', async t => {
  const site = new ForgeSite(t)
  const rc = join(site.spool.root, 'conf/hello/rc')
  writeFileSync(rc, readFileSync(rc, 'utf8') + `FORGE='git:${site.remote}'\n`)
  const tip = site.commit()
  site.push('main')
  await site.fetch()
  t.same(Object.keys(site.events()), [`refs/heads/main/${tip}`])
  t.equal((await site.post('push', {})).status, 401)
})
