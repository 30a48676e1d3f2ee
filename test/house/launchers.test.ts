// The launchers: one text for all, and what each program says of itself.

import { copyFileSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'tap'

import { lacks, ROOT, Sandbox } from '../fixtures/sandbox.ts'

/** `bin/bass` and its like. */
const LAUNCHERS = ['bin', 'master/bin', 'slave/bin'].flatMap(directory =>
  readdirSync(join(ROOT, directory), { withFileTypes: true })
    .filter(entry => entry.isFile() && !entry.name.includes('.'))
    .map(({ name }) => `${directory}/${name}`),
)

/** What runs for long keeps its memory small: also because Node starts processes by copying its own. */
const SMALL: readonly [RegExp, string][] = [
  [/^slave\/|^master\/bin\/reaper$/, ' --max-semi-space-size=1 --single-threaded-gc'],
  // It starts hardly any, and looks thousands of objects up.
  [/^master\/bin\/task-maker$/, ' --max-semi-space-size=4 --single-threaded-gc'],
  // It answers hundreds of requests a second.
  [/^master\/bin\/farmer$/, ' --max-semi-space-size=8 --single-threaded-gc'],
  // These hold something of every job there is, and have no hurry.
  [/^master\/bin\/(reporter|notifier|fetcher)$/, ' --optimize-for-size'],
]

/** What `version-for-git` does without Node. */
const SHORT_CUT = /(?<=^#!\/bin\/sh\n)# The usual case takes no Node: .*?\nesac\n/s

test('all launchers have one text up to their target', async t => {
  for (const launcher of LAUNCHERS) {
    const target = launcher.replace('/bin/', '/')
    const flags = SMALL.find(([which]) => which.test(launcher))?.[1] ?? ''
    const up = launcher.replace(/[^/]+/g, '*')
    // All that fails there is 1, as with a command of git.
    const [temporary, lasting, rc] = launcher === 'bin/git-jci' ? [1, 1, ' 1'] : [111, 100, '']
    const down = '/..'.repeat(launcher.split('/').length - 1)
    t.equal(
      readFileSync(join(ROOT, launcher), 'utf8').replace(SHORT_CUT, ''),
      `#!/bin/sh
# Reads the settings and becomes the compiled ${target}.ts.
if [ -z "$BASS_ROOT" ] && [ -d "\${0%/*}" ] && [ ! -L "$0" ]; then
    BASS_ROOT=$(CDPATH='' cd -P -- "\${0%/*}${down}" && pwd) || exit ${temporary}
elif [ -z "$BASS_ROOT" ]; then
    BASS_ROOT=$(readlink -f -- "$0") && BASS_ROOT=\${BASS_ROOT%/${up}} || exit ${temporary}
fi
export BASS_ROOT
set -- "$BASS_ROOT/dist/${target}.js" "$@"
[ -f "$1" ] || {
    echo "\${0##*/}: fatal: unable to run '$1': no such file; type 'npm ci' in '$BASS_ROOT' first" >&2
    exit ${lasting}
}
. "$BASS_ROOT/lib/rc" || exit${rc}
exec node${flags} "$@"
`,
      launcher,
    )
    t.ok(statSync(join(ROOT, launcher)).mode & 0o111, `${launcher} is executable`)
  }
})

test('every program shows its help on one screen, and its version', async t => {
  const sandbox = new Sandbox(t)
  for (const launcher of LAUNCHERS) {
    const name = launcher.split('/').at(-1)!
    const help = sandbox.run(launcher, ['--help'])
    t.equal(help.code, 0, `${name} --help`)
    t.equal(help.stderr, '')
    t.match(help.stdout, new RegExp(`^usage: ${name}\\b`))
    const lines = help.stdout.split('\n')
    t.ok(lines.length <= 50, `${name}: ${lines.length} lines`)
    const longest = Math.max(...lines.map(line => line.length))
    t.ok(longest <= 110, `${name}: ${longest} columns`)
    if (launcher !== 'bin/bass') t.match(help.stdout, '\nexit codes:\n', `${name}: exit codes`)

    const version = sandbox.run(launcher, ['--version'])
    t.same([version.code, version.stderr], [0, ''], `${name} --version`)
    t.match(version.stdout, new RegExp(`^${name} \\d+\\.\\d+\\.\\d+\\n$`))
  }
})

test(
  'every program has a manual page that groff reads without complaint',
  { skip: lacks('groff') },
  async t => {
    const sandbox = new Sandbox(t)
    for (const launcher of LAUNCHERS) {
      const name = launcher.split('/').at(-1)!
      const page = sandbox.ok(launcher, ['--man'])
      const { code, stdout, stderr } = sandbox.run('groff', ['-man', '-Tascii', '-ww'], { input: page })
      t.same([code, stderr], [0, ''], name)
      t.match(stdout, new RegExp(`${name.toUpperCase()}\\(1\\)`))
    }
  },
)

test('a program finds its tree through symlinks, and by BASS_ROOT where that is set', async t => {
  const sandbox = new Sandbox(t)
  symlinkSync(join(ROOT, 'bin/bass'), sandbox.path('one'))
  symlinkSync('one', sandbox.path('bass'))
  const expected = sandbox.ok('bin/bass', ['--version'])
  t.equal(sandbox.ok(sandbox.path('bass'), ['--version']), expected)
  t.equal(sandbox.ok('sh', ['-c', 'PATH=$PWD:$PATH; cd /; bass --version']), expected)
  for (const script of ['cd "$0" && CDPATH=/:/tmp bin/bass --version', 'cd "$0/bin" && sh bass --version'])
    t.equal(sandbox.ok('sh', ['-c', script, ROOT]), expected, script)
  t.match(
    sandbox.run('bin/bass', ['--version'], { env: { BASS_ROOT: '/elsewhere' } }).stderr,
    "unable to run '/elsewhere/dist/bin/bass.js'",
  )
})

test('a tree that is not built says so in one sentence and ends with 100', async t => {
  const sandbox = new Sandbox(t)
  for (const launcher of ['bin/bass', 'slave/bin/task-taker']) {
    mkdirSync(sandbox.path(dirname(launcher)), { recursive: true })
    copyFileSync(join(ROOT, launcher), sandbox.path(launcher))
    const { code, stdout, stderr } = sandbox.run(sandbox.path(launcher), [])
    const [name, target] = [launcher.split('/').at(-1)!, launcher.replace('/bin/', '/')]
    t.equal(code, 100)
    t.equal(stdout, '')
    t.equal(
      stderr,
      `${name}: fatal: unable to run '${sandbox.dir}/dist/${target}.js': no such file; type 'npm ci' in '${sandbox.dir}' first\n`,
    )
  }
})
