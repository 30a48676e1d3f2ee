// Tasks as no maker of ours leaves them: each of them ends, and nobody is held up by it.

import { mkdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { verdictOf } from '../../lib/spool/job.ts'
import { ask, serve } from '../fixtures/browser.ts'
import { eventually } from '../fixtures/sandbox.ts'
import { Site } from '../fixtures/site.ts'

/** What can stand where a file is expected. */
const KINDS: Readonly<Record<string, (site: Site, path: string) => void>> = {
  nothing: () => undefined,
  'an empty file': (_, path) => writeFileSync(path, ''),
  'half a file': (site, path) => {
    site.ok('cp', [site.path('whole'), path])
    truncateSync(path, 700)
  },
  'gigabytes of zeros': (site, path) => void site.ok('truncate', ['-s', '5G', path]),
  'bytes of no meaning': (_, path) => writeFileSync(path, Buffer.from('a\0=\xff\n\x1b[2J=\n=\n', 'latin1')),
  'a directory': (_, path) => {
    mkdirSync(path)
  },
  'a named pipe': (site, path) => void site.ok('mkfifo', [path]),
  'a link to nothing': (_, path) => symlinkSync('nothing', path),
  'a link to itself': (_, path) => symlinkSync(path, path),
}

/** How a job ends whose task has something else under this name. */
const FILES: Readonly<Record<string, string>> = {
  'code.tar': 'error',
  'steps.tar': 'error',
  'code-revision.txt': 'success',
  'steps-version.txt': 'success',
  'ref.txt': 'success',
  'params.txt': 'success',
  'retry-of.txt': 'success',
  'a file that nobody knows': 'success',
  cancel: 'cancelled',
}

test('whatever stands where a file of a task is expected, its job has a verdict, and all others too', async t => {
  const site = new Site(t)
  const first = site.publish({ a: 'echo fine' })
  const names = site.publishCopies(first, Object.keys(FILES).length * Object.keys(KINDS).length)
  const wanted = new Map<string, string>([[first, 'success']])
  const all = Object.keys(FILES).flatMap(file => Object.keys(KINDS).map(kind => [file, kind] as const))
  for (const [i, [file, kind]] of all.entries()) {
    const name = names[i]!
    const path = join(site.spool.tasks.cur, name, file)
    site.ok('sh', ['-c', 'cp "$1" whole 2>/dev/null || echo whole >whole', 'sh', path])
    rmSync(path, { force: true })
    KINDS[kind]!(site, path)
    wanted.set(name, kind === 'nothing' && file === 'cancel' ? 'success' : FILES[file]!)
  }
  // And what is no task at all, but is called like one.
  const odd = ['900:file:v:testarch', '901:pipe:v:testarch', '902:link:v:testarch']
  writeFileSync(join(site.spool.tasks.cur, odd[0]!), '')
  site.ok('mkfifo', [join(site.spool.tasks.cur, odd[1]!)])
  symlinkSync('nothing', join(site.spool.tasks.cur, odd[2]!))

  const bass = (...args: string[]) => site.run('timeout', ['20', 'bin/bass', ...args], { cwd: process.cwd() })
  t.match(bass('status'), { code: 0, stderr: '' })
  const { url } = await serve(site)
  t.equal((await ask(`${url}/`, { accept: 'text/html' })).status, 200)

  const takers = ['slot-1', 'slot-2'].map(slot => site.taker(slot, { BUNDLE_MAX: '1M' }))
  const reaper = site.start('master/bin/reaper', [], { env: { POLL_INTERVAL: '0.5' } })
  await eventually('all to be over', () => site.ls('spool/tasks/old').length === wanted.size, 120)
  const ended = [...wanted.keys()].map(name => [name, verdictOf(site.job(name))])
  const labels = new Map(names.map((name, i) => [name, all[i]!.join(': ')]))
  t.same(
    ended
      .filter(([name, verdict]) => verdict !== wanted.get(name!))
      .map(([name, verdict]) => [labels.get(name!), verdict]),
    [],
  )
  for (const [name, verdict] of wanted) {
    if (verdict !== 'error') continue
    t.match(readFileSync(join(site.job(name), 'error.txt'), 'utf8'), /^[A-Z].{1,400}\.\n$/, labels.get(name)!)
  }
  t.same(site.ls('spool/tasks/cur'), odd)
  // Who was slower to claim leaves that to be swept.
  const left = () => [...site.ls('spool/tasks/tmp'), ...site.ls('spool/jobs/tmp')]
  await eventually('nothing to be left', () => left().length === 0, 60)

  for (const args of [
    ['status'],
    ['status', '--json'],
    ['show', 'last'],
    ['show', '2'],
    ['show', '900'],
    ['prune'],
  ]) {
    const { code, stderr } = bass(...args)
    t.ok((code === 0 || code === 100) && stderr.split('\n').length <= 2, `bass ${args.join(' ')}: ${stderr}`)
  }
  for (const name of names) {
    const [num] = name.split(':')
    const { status } = await ask(`${url}/job/${num!}`, { accept: 'text/html' })
    if (status !== 200) t.fail(`the page of ${name}, ${labels.get(name)!}`)
  }
  for (const running of [...takers, reaper]) {
    t.equal((await running.kill('SIGTERM')).code, 0)
    t.notMatch(running.stderr(), /^\s+at |\p{Cc}(?<!\n)/mu)
  }
})

test('a name in retried-as.txt or retry-of.txt that is no name of a task is not acted on', async t => {
  const site = new Site(t)
  const [first, second] = [site.publish({ a: 'true' }), site.publish({ a: 'true' })]
  const job = site.job(first)
  mkdirSync(job)
  for (const [file, text] of [
    ['alive', ''],
    ['owner.txt', 'host=h\nslot=/s\npid=1\ntoken=t\n'],
    ['result.txt', 'lost\n'],
    ['retried-as.txt', '\n'],
  ] as const) {
    writeFileSync(join(job, file), text)
  }
  site.ok('ln', [join(job, 'owner.txt'), join(site.spool.tasks.cur, first, 'claim')])
  const clone = join(site.spool.tasks.tmp, '9:hello:v1:testarch')
  mkdirSync(clone)
  writeFileSync(join(clone, 'retry-of.txt'), `../../../${first} lost 1\n`)
  site.start('master/bin/reaper', [], { env: { POLL_INTERVAL: '0.05' } })
  site.taker()
  t.equal(await site.verdict(second), 'success')
  await new Promise(done => setTimeout(done, 500))
  t.same(site.ls('spool/tasks/cur'), [first])
  t.same(site.ls('spool/tasks/tmp'), ['9:hello:v1:testarch'])
})
