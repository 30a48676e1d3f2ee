// Names that somebody chose to do harm, from the push to the pages: each is either taken as it is, or said once and left.

import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { verb as event } from '../../bin/event.ts'
import { verb as log } from '../../bin/log.ts'
import { verb as show } from '../../bin/show.ts'
import { VERBS } from '../../bin/verbs.ts'
import type { Command } from '../../lib/system/command.ts'
import { verdictOf } from '../../lib/spool/job.ts'
import { ask, serve } from '../fixtures/browser.ts'
import { GitServer } from '../fixtures/git-server.ts'
import { call } from '../fixtures/in-process.ts'
import { eventually, Sandbox } from '../fixtures/sandbox.ts'

/** Branches as git allows them. */
const BRANCHES = [
  '-n',
  '--output=owned',
  '$(touch${IFS}owned)',
  '`touch\u00a0owned`',
  "'",
  '"><script>alert(1)</script>',
  'a;b|c&d',
  '%2e%2e%2fup',
  'names',
  'names.d/names',
  '\u202egnp',
  '\u2028',
  'x'.repeat(245),
  'é'.repeat(100) + '/' + 'd/'.repeat(100) + 'end',
]

/** Names of events that are no revision, as `touch` makes them. */
const EVENTS = [
  '-',
  '--all',
  '-n1',
  ' ',
  'a b',
  'HEAD:file',
  'main:',
  '@{-1}',
  'main..main',
  '^main',
  '$(touch owned)',
  'x'.repeat(255),
]

/** Those are not even tried. */
const UNREADABLE = [Buffer.from('new\nline'), Buffer.from('b\xe9d', 'latin1'), Buffer.from('\x1b[2J')]

test('what a ref is called reaches its step and the pages as it is, and no shell', async t => {
  const sandbox = new Sandbox(t)
  sandbox.makeSpool()
  const server = new GitServer(sandbox)
  mkdirSync(join(server.work, '.bass'))
  writeFileSync(
    join(server.work, '.bass/$(touch owned)\n-'),
    '#!/bin/sh\nprintf %s "$BASS_REF"; touch "$BASS_ARTIFACTS/\\$(touch owned)"; echo \'$(touch owned)\' >&2\n',
    {
      mode: 0o755,
    },
  )
  server.git('add', '.')
  const [commit] = server.commit()
  server.push(BRANCHES.map(name => `main:refs/heads/${name}`))
  await server.settled()
  t.same(server.events(), BRANCHES.map(name => `refs/heads/${name}/${commit!}`).sort())

  Object.assign(sandbox.env, {
    REVS: server.revs,
    PROJ: server.repository,
    ARCHS: 'testarch',
    COMPRESSOR: 'cat',
  })
  mkdirSync(sandbox.path('slot'))
  const programs = [
    sandbox.start('master/bin/task-maker'),
    sandbox.start('slave/bin/task-taker', [], { cwd: sandbox.path('slot') }),
    sandbox.start('master/bin/reaper'),
  ]
  await eventually('all to be over', () => sandbox.ls('spool/tasks/old').length === BRANCHES.length, 60)
  const jobs = sandbox.ls('spool/jobs/cur').map(name => join(sandbox.spool.jobs.cur, name))
  t.same(
    jobs.map(verdictOf),
    jobs.map(() => 'success'),
  )
  const said = jobs.map(job =>
    readFileSync(join(job, 'steps/$(touch owned)\n-/stdout.txt'), 'utf8').slice(26),
  )
  t.same(said.sort(), BRANCHES.map(name => `refs/heads/${name}`).sort())

  // eslint-disable-next-line no-control-regex -- what could drive a terminal
  const drives = /[\x00-\x08\x0b-\x1f\x7f\u202e\u2028]/
  const { url } = await serve(sandbox)
  for (const [i] of BRANCHES.entries()) {
    const task = String(i + 1)
    for (const [verb, ...argv] of [
      [show, task],
      [log, task],
      [event, 'hello', BRANCHES[i]!],
    ] as const) {
      const { code, stdout, stderr } = await call(verb, argv, sandbox.env)
      t.ok([0, 100].includes(code) && !drives.test((verb === event ? '' : stdout) + stderr), argv.join(' '))
    }
    const { status, body } = await ask(`${url}/job/${task}`, { accept: 'text/html' })
    if (status !== 200 || /<script>alert/.test(body)) t.fail(`the page of ${BRANCHES[i]!}`)
  }
  t.match(sandbox.run('bin/bass', ['status']), { code: 0, stderr: '' })
  for (const path of ['/', '/project/hello/feed.atom', '/metrics', '/api/status']) {
    const { status, body } = await ask(url + path)
    t.ok(status === 200 && !/<script>alert/.test(path === '/api/status' ? '' : body), path)
  }
  for (const program of programs) t.notMatch((await program.kill('SIGTERM')).stderr, drives)
  t.same(sandbox.ok('find', [sandbox.dir, '-name', 'owned']), '')
})

test('events of odd names, or that are no files, are said once and hold up none behind them', async t => {
  const sandbox = new Sandbox(t)
  const { revs } = sandbox.makeSpool()
  const server = new GitServer(sandbox)
  const [commit] = server.commit()
  server.push(['main'])
  await server.settled()
  const hello = join(revs, 'hello')
  for (const name of EVENTS) writeFileSync(join(hello, name), '')
  for (const name of UNREADABLE) writeFileSync(Buffer.concat([Buffer.from(hello + '/'), name]), '')
  sandbox.ok('mkfifo', [join(hello, 'pipe')])
  symlinkSync('/etc/passwd', join(hello, 'link'))
  // A branch as an old system may name it.
  sandbox.ok('sh', ['-c', 'git push -q origin "main:refs/heads/l$(printf "\\351")"'], { cwd: server.work })
  await server.settled()
  mkdirSync(join(hello, 'directory', commit!), { recursive: true })
  // Deeper than a path can be once it is in a record.
  const deep = 'd/'.repeat((4080 - hello.length) >> 1)
  sandbox.ok('mkdir', ['-p', deep], { cwd: hello })
  writeFileSync(join(hello, deep, 'x'), '')

  const env = { REVS: hello, PROJ: server.repository, ARCHS: 'testarch', COMPRESSOR: 'cat' }
  const maker = sandbox.start('master/bin/task-maker', [], { env: { ...env, WATCH: 'poll' } })
  await eventually('the one that is good', () => maker.stdout() !== '', 60)
  await eventually(
    'all others to be tried',
    () => EVENTS.every(name => maker.stderr().includes(name.slice(0, 200))),
    60,
  )
  server.commit()
  server.push(['main'])
  await eventually('the next one', () => maker.stdout().trim().split('\n').length === 3, 60)
  const refs = sandbox
    .ls('spool/tasks/cur')
    .map(task => readFileSync(sandbox.path('spool/tasks/cur', task, 'ref.txt'), 'utf8'))
  t.same(refs.sort(), ['refs/heads/l%E9\n', 'refs/heads/main\n', 'refs/heads/main\n'], 'bytes as in a URL')
  t.equal((await maker.kill('SIGTERM')).code, 0)
  const lines = maker.stderr().trimEnd().split('\n')
  t.ok(
    lines.every(line => /^task-maker: warning: unable to /.test(line)),
    maker.stderr(),
  )
  for (const name of ['pipe', 'link', 'new\\x0aline', '\\x1b[2J']) {
    t.equal(lines.filter(line => line.includes(`/${name}'`)).length, 1, name)
  }
  t.equal(lines.filter(line => line.includes('name too long')).length, 1, 'one that is too deep')
  t.ok(readdirSync(join(hello, 'directory', commit!)).length === 0)
  t.same(sandbox.ok('find', [sandbox.dir, '-name', 'owned']), '')
  // Too deep for Node's own removal.
  sandbox.ok('rm', ['-rf', hello])
})

/** Arguments that are no names. */
const ARGUMENTS = [
  '../1',
  '..',
  '.',
  '-1',
  '-n',
  '--',
  ' ',
  '',
  'a b',
  'a\nb',
  '\x1b[2J',
  '%2e%2e',
  '$(touch owned)',
  '1:hello:v1:testarch/..',
  'x'.repeat(255),
  'b\ufffdd',
]

test('an argument of a verb that is no name is refused in one sentence, and nothing comes of it', async t => {
  const sandbox = new Sandbox(t)
  sandbox.makeSpool()
  const before = sandbox.ok('find', ['spool'])
  const verbs = [
    'show',
    'log',
    'diff',
    'wait',
    'cancel',
    'retry',
    'shell',
    'run',
    'attach',
    'pause',
    'resume',
    'event',
  ]
  for (const name of verbs) {
    const { verb } = (await VERBS.get(name)!.load()) as { verb: Pick<Command, 'main'> }
    for (const argument of ARGUMENTS) {
      const what = `bass ${name} ${JSON.stringify(argument)}`
      const { code, stdout, stderr } = await call(verb, [argument], sandbox.env)
      // eslint-disable-next-line no-control-regex -- what could drive a terminal
      if (code !== 100 || stdout !== '' || !/^unable to [^\x00-\x1f]+$/.test(stderr))
        t.fail(`${what}: ${code}: ${stdout}${stderr}`)
    }
  }
  t.equal(sandbox.ok('find', ['spool']), before)
})
