import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { lacks, ROOT, Sandbox } from '../fixtures/sandbox.ts'

type Environment = Record<string, string | undefined>

/** What a login without any setting has. */
const BARE: Environment = {
  BASS_ROOT: ROOT,
  ...Object.fromEntries(['SPOOL', 'ARCH', 'HOST', 'JOBTMP', 'POLL_INTERVAL'].map(name => [name, undefined])),
}

/** The environment of what a shell starts after it has sourced rc; `-eu` forgives nothing. */
function sourced(
  sandbox: Sandbox,
  env: Environment = {},
  [shell, ...args]: [string, ...string[]] = ['dash'],
): Record<string, string> {
  const source = [...args, '-euc', '. "$BASS_ROOT/lib/rc"; exec env']
  const lines = sandbox.ok(shell, source, { env: { ...BARE, ...env } }).split('\n')
  return Object.fromEntries(lines.map(line => [line.split('=', 1)[0]!, line.slice(line.indexOf('=') + 1)]))
}

for (const shell of [['dash'], ['bash'], ['busybox', 'sh']] satisfies [string, ...string[]][]) {
  test(`${shell.join(' ')} gives every setting its default`, { skip: lacks(shell[0]) }, async t => {
    const env = sourced(new Sandbox(t), {}, shell)
    t.match(env, {
      COMPRESSOR: /^(zstd -q -1|gzip -1)$/,
      EVENT_TRIES: '5',
      POLL_INTERVAL: '1',
      WATCH: 'auto',
      LOST_AFTER: '30',
      LOST_TRIES: '3',
      SETTLE: '600',
      SWEEP_AFTER: '24h',
      JOBTMP: '/tmp',
      ISOLATE: 'auto',
      DRAIN: '0',
      LINE_TIMEOUT: '600',
      STEP_TIMEOUT: '0',
      JOB_TIMEOUT: '0',
      JOB_TMUX: 'no',
      FAILED_JOB_WAITTIME: '3600',
    })
    for (const name of ['SPOOL', 'TASKS', 'JOBS', 'REVS', 'PROJ', 'STEPS', 'ARCHS', 'BASS_RC']) {
      t.notOk(name in env, `${name} has none`)
    }
  })
}

test('this machine is named as uname names it', async t => {
  const sandbox = new Sandbox(t)
  const { ARCH, HOST } = sourced(sandbox)
  t.equal(ARCH, `${sandbox.ok('uname', ['-s']).toLowerCase()}-${sandbox.ok('uname', ['-m'])}`)
  t.equal(HOST, sandbox.ok('uname', ['-n']))
})

test('the environment goes before the defaults, and the settings file before the environment', async t => {
  const sandbox = new Sandbox(t)
  t.equal(sourced(sandbox, { LOST_TRIES: '7' })['LOST_TRIES'], '7')
  writeFileSync(sandbox.path('rc'), "LOST_TRIES=9 COMPRESSOR='xz -1'\n")
  const env = sourced(sandbox, { LOST_TRIES: '7', BASS_RC: sandbox.path('rc') })
  t.match(env, { LOST_TRIES: '9', COMPRESSOR: 'xz -1', LOST_AFTER: '30' })
})

test('a settings file may be named relatively; programs that change directory still find it', async t => {
  const sandbox = new Sandbox(t)
  writeFileSync(sandbox.path('rc'), 'SETTLE=1\n')
  t.match(sourced(sandbox, { BASS_RC: 'rc' }), { SETTLE: '1', BASS_RC: sandbox.path('rc') })
})

test('a settings file that cannot be read ends the program with 100 and one sentence', async t => {
  const sandbox = new Sandbox(t)
  const { code, stdout, stderr } = sandbox.run('bin/bass', ['--version'], { env: { BASS_RC: '/none' } })
  t.same([code, stdout], [100, ''])
  t.equal(stderr, "bass: fatal: unable to read '/none': BASS_RC must name a readable file\n")
})

test('the settings file of a spool is found by SPOOL alone', async t => {
  const sandbox = new Sandbox(t)
  sandbox.ok('mkdir', ['-p', 'spool/conf'])
  writeFileSync(sandbox.path('spool/conf/rc'), 'SETTLE=1\n')
  t.equal(sourced(sandbox, { SPOOL: sandbox.path('spool') })['SETTLE'], '1')
  t.equal(sourced(sandbox, { SPOOL: sandbox.path('spool'), BASS_RC: '/dev/null' })['SETTLE'], '600')
})

test('the directories of a spool follow from SPOOL, and SPOOL from TASKS', async t => {
  const sandbox = new Sandbox(t)
  const below = sourced(sandbox, { SPOOL: '/s', JOBS: '/elsewhere/jobs' })
  t.match(below, { SPOOL: '/s', TASKS: '/s/tasks', JOBS: '/elsewhere/jobs' })
  t.notOk('REVS' in below, 'there is no project')
  const above = sourced(sandbox, { TASKS: '/s/tasks', JOBS: '/j' })
  t.match(above, { SPOOL: '/s', TASKS: '/s/tasks', JOBS: '/j' })
})

test('the events of a project are found by its name, or by that of its repository', async t => {
  const sandbox = new Sandbox(t)
  for (const [env, revs] of [
    [{ PROJECT: 'hello' }, '/s/revs/hello'],
    [{ PROJ: '/git/hello.git' }, '/s/revs/hello'],
    [{ PROJ: '/git/hello.git/' }, '/s/revs/hello'],
    [{ PROJ: '/home/ada/hello/.git' }, '/s/revs/hello'],
    [{ PROJ: '/home/ada/hello' }, '/s/revs/hello'],
    [{ PROJ: '/git/hello.git', PROJECT: 'other' }, '/s/revs/other'],
    [{ PROJ: '/git/hello.git', REVS: '/r' }, '/r'],
  ] as const) {
    t.equal(sourced(sandbox, { SPOOL: '/s', ...env })['REVS'], revs, JSON.stringify(env))
  }
})

test('sourcing it starts at most one process', { skip: lacks('strace', 'dash') }, async t => {
  const sandbox = new Sandbox(t)
  const trace = ['-f', '-qq', '-o', 'trace', '-e', 'trace=clone,clone3,fork,vfork']
  sandbox.ok('strace', [...trace, 'dash', '-c', '. "$BASS_ROOT/lib/rc"'], { env: BARE })
  const calls = readFileSync(sandbox.path('trace'), 'utf8').match(/^\d+ +(clone3?|v?fork)\(/gm)
  t.ok((calls ?? []).length <= 1)
})

/** What is in every environment, and no setting of ours. */
const SYSTEM = ['HOME', 'LANG', 'NO_COLOR', 'PATH', 'SHELL', 'TERM', 'TMPDIR', 'USER']

test('it is the only place with defaults, and has every setting that a program reads', async t => {
  const names = new Set(SYSTEM.concat(readFileSync(join(ROOT, 'lib/rc'), 'utf8').match(/\b[A-Z_]+\b/g) ?? []))
  const readers = /\b(?:setting|optional|words|duration|limit|count|choice|size)\(\s*'([A-Z_]+)'/g
  for (const directory of ['bin', 'lib', 'master', 'slave']) {
    for (const name of readdirSync(join(ROOT, directory)).filter(name => name.endsWith('.ts'))) {
      for (const [, found] of readFileSync(join(ROOT, directory, name), 'utf8').matchAll(readers)) {
        t.ok(names.has(found!), `${directory}/${name} reads ${found!}`)
      }
    }
  }
})
