// git jci: running, and what is stored, whatever happens.

import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { COMMANDS } from '../../bin/jci/commands.ts'
import { RUNNER_SETTINGS, SERVER_SETTINGS } from '../../bin/jci/settings.ts'
import { eventually, lacks, ROOT, Sandbox } from '../fixtures/sandbox.ts'
import { lacksTinyDisk } from '../fixtures/tiny-disk.ts'

/** A time to sleep that no other test has. */
const LONG = `1000.${process.pid}`

type Test = ConstructorParameters<typeof Sandbox>[0]

/** As with somebody who has never heard of our settings. */
const nothing = {
  ARCH: undefined,
  HOST: undefined,
  SPOOL: undefined,
  JOBTMP: undefined,
  POLL_INTERVAL: undefined,
}

/** A repository with `.jci/run.sh`, and ways to ask it. */
function project(t: Test, script: string) {
  const sandbox = new Sandbox(t)
  mkdirSync(sandbox.path('tmp'))
  Object.assign(sandbox.env, { PATH: `${ROOT}/bin:${sandbox.env['PATH']!}`, TMPDIR: sandbox.path('tmp') })
  sandbox.git(sandbox.dir, 'init', '-q', '-b', 'main', 'code')
  mkdirSync(sandbox.path('code/.jci'))
  writeFileSync(sandbox.path('code/.jci/run.sh'), script)
  const git = (...args: string[]) => sandbox.git(sandbox.path('code'), ...args)
  git('add', '-A')
  git('commit', '-q', '-m', 'one')
  const jci = (...args: string[]) => sandbox.run('git', ['jci', ...args], { cwd: 'code' })
  const refs = () => git('for-each-ref', '--format=%(refname)', 'refs/jci-runs').split('\n').filter(Boolean)
  const file = (ref: string, name: string) => git('show', `${ref}:${name}`)
  return { sandbox, git, jci, refs, file, commit: git('rev-parse', 'HEAD') }
}

test('a run is stored with its output, as it came, and all that it left', async t => {
  const { sandbox, git, jci, refs, file, commit } = project(
    t,
    `echo out; echo err >&2; echo "$JCI_COMMIT $JCI_REPO_ROOT" >facts; env >env; pwd >pwd; mkdir sub; echo x >sub/x`,
  )
  Object.assign(sandbox.env, { ...nothing, FOO: 'bar' })
  const { code, stdout } = jci('run')
  t.equal(code, 0)
  t.equal(stdout, 'out\nerr\n')
  const [ref] = refs()
  t.match(ref, new RegExp(`^refs/jci-runs/${commit}/\\d{10}-[0-9a-f]{4}$`))
  t.equal(file(ref!, 'status.txt'), 'ok')
  t.match(
    file(ref!, 'run.output.txt'),
    new RegExp(
      `^commit: ${commit}\nrun: .*\nwork tree: clean\nstarted: .*\n-+\nout\nerr\n-+\nended: .*\nduration: .*\nresult: ok`,
    ),
  )
  t.equal(file(ref!, 'facts'), `${commit} ${sandbox.path('code')}`)
  t.equal(file(ref!, 'sub/x'), 'x')
  t.match(file(ref!, 'env'), /^FOO=bar$/m)
  t.notMatch(file(ref!, 'env'), /^(ARCH|COMPRESSOR|TAR|BASS_ROOT|JOBTMP)=/m, 'nothing of our own settings')
  t.match(file(ref!, 'index.html'), '<h1>Passed</h1>')
  t.notMatch(file(ref!, 'index.html'), /https?:|src=/)
  t.equal(git('status', '--porcelain'), '')
  t.same(readdirSync(sandbox.path('tmp')), [], 'the output directory is gone')
  t.equal(
    git('log', '-1', '--format=%s', ref!),
    `CI results for ${commit.slice(0, 12)} (run ${ref!.split('/')[3]!})`,
  )
})

test('a run writes nothing into the index of its work tree', t => {
  const { sandbox, jci, refs, file } = project(t, 'true')
  // Git would note the new time of the file there.
  utimesSync(sandbox.path('code/.jci/run.sh'), 1e9, 1e9)
  const before = readFileSync(sandbox.path('code/.git/index'))
  t.equal(jci('run').code, 0)
  t.match(file(refs()[0]!, 'run.output.txt'), 'work tree: clean')
  t.ok(before.equals(readFileSync(sandbox.path('code/.git/index'))), 'it is as it was')
  t.end()
})

test('a run that cannot begin leaves no directory', t => {
  const { sandbox, jci } = project(t, 'true')
  writeFileSync(sandbox.path('code/.git/jci'), 'in the way of ours')
  t.match(jci('run'), { code: 1, stderr: /unable to/ })
  t.same(readdirSync(sandbox.path('tmp')), [])
  t.end()
})

test('a script that fails, or replaces our files, is stored; the exit code is 1', async t => {
  const { sandbox, jci, refs, file } = project(
    t,
    `echo '<b>&\x1b[31mred'; rm -rf ./* ; ln -s /etc/passwd status.txt; mkdir run.output.txt; echo mine >index.html; exit 3`,
  )
  writeFileSync(sandbox.path('code/dirty'), '')
  t.equal(jci('run').code, 1)
  const [ref] = refs()
  t.equal(file(ref!, 'status.txt'), 'err')
  t.equal(file(ref!, 'index.html'), 'mine')
  t.match(file(ref!, 'run.output.txt'), 'work tree: dirty: 1 file differs from the commit')
  t.match(file(ref!, 'run.output.txt'), 'result: err (exit 3)')
})

const asNobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']

test(
  'what a script has locked is stored, and leaves nothing behind',
  { skip: process.getuid?.() === 0 ? lacks('setpriv') : 'needs root' },
  t => {
    const lock = 'mkdir -p a/b; echo kept >a/b/c; chmod 0 a/b/c; chmod 500 a/b; chmod 500 .'
    const { sandbox, file, refs } = project(t, lock)
    chmodSync(sandbox.dir, 0o755)
    sandbox.ok('chown', ['-R', '65534', 'code', 'tmp'])
    sandbox.ok(asNobody[0]!, [...asNobody.slice(1), 'git', 'jci', 'run'], { cwd: 'code' })
    sandbox.ok('chown', ['-R', '0', 'code'])
    t.equal(file(refs()[0]!, 'a/b/c'), 'kept')
    t.same(readdirSync(sandbox.path('tmp')), [])
    t.end()
  },
)

test('while it runs others see it; interrupted, its children are ended and err is stored', async t => {
  const { sandbox, git, jci, refs, file } = project(
    t,
    `echo begun; sleep ${LONG} & setsid sleep ${LONG} & wait`,
  )
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    const running = sandbox.start('bin/git-jci', ['run'], { cwd: 'code' })
    await eventually('it runs', () => running.stdout().includes('begun'))
    const ref = refs().at(-1)!
    t.equal(file(ref, 'status.txt'), 'running')
    const { code } = await running.kill(signal)
    t.equal(code, 1)
    t.equal(file(ref, 'status.txt'), 'err')
    t.match(file(ref, 'run.output.txt'), `begun\n${'-'.repeat(72)}\n`)
    t.match(file(ref, 'run.output.txt'), `result: err (interrupted by ${signal})`)
    t.equal(sandbox.run('pgrep', ['-f', `^sleep ${LONG}$`]).stdout, '')
    git('update-ref', '-d', ref)
  }
  t.equal(jci('prune').code, 0)
})

test('a run whose owner was killed is ended by the next command', async t => {
  // What it leaves in the place of our files leads nowhere.
  const script = `echo half >half; rm status.txt; ln -s ../../precious status.txt; echo begun; sleep ${LONG}`
  const { sandbox, jci, refs, file } = project(t, script)
  writeFileSync(sandbox.path('precious'), 'precious')
  const running = sandbox.start('bin/git-jci', ['run'], { cwd: 'code' })
  await eventually('it runs', () => running.stdout().includes('begun'))
  t.equal(jci('prune').code, 0)
  const [ref] = refs()
  t.equal(file(ref!, 'status.txt'), 'running', 'its owner lives')
  await running.kill('SIGKILL')
  t.equal(jci('prune').code, 0)
  t.equal(file(ref!, 'status.txt'), 'err')
  t.equal(file(ref!, 'half'), 'half')
  t.equal(sandbox.ok('cat', ['precious']), 'precious')
  t.match(file(ref!, 'run.output.txt'), 'begun\n\nresult: err (git-jci was killed')
  t.same(readdirSync(sandbox.path('code/.git/jci')), [])
  t.same(readdirSync(sandbox.path('tmp')), [])
  await eventually('nothing of it runs', () => sandbox.run('pgrep', ['-f', `^sleep ${LONG}$`]).stdout === '')
})

test('two runs of one commit at once do not meet', async t => {
  const { sandbox, refs, file, commit } = project(
    t,
    'echo "$$" >mine; sleep 1; [ "$(cat mine)" = "$$" ] && ls',
  )
  const both = ['one', 'two'].map(() => sandbox.start('bin/git-jci', ['run'], { cwd: 'code' }))
  for (const { ended } of both) t.equal((await ended).code, 0)
  t.equal(refs().length, 2)
  for (const ref of refs()) {
    t.match(ref, commit)
    t.match(file(ref, 'run.output.txt'), /-\nmine\nrun.output.txt\nstatus.txt\n-/)
  }
})

test('without git a line says so', async t => {
  const { sandbox } = project(t, 'true')
  mkdirSync(sandbox.path('no-git'))
  for (const name of ['sh', 'env', 'node', 'readlink'])
    symlinkSync(sandbox.ok('sh', ['-c', `command -v ${name}`]).trim(), sandbox.path('no-git', name))
  for (const verb of ['run', 'push', 'pull', 'prune', 'web']) {
    const env = { PATH: sandbox.path('no-git') }
    const { code, stderr } = sandbox.run('bin/git-jci', [verb], { cwd: 'code', env })
    t.equal(code, 1)
    t.match(stderr, /^git-jci: fatal: unable to .*git.*\n$/)
  }
})

const much = 'head -c 100000 /dev/zero | tr "\\0" x; echo'

/** Runs a script of the shell on a disk of 4 MB, `tmp`, which only it sees, with the repository there. */
function onTinyDisk({ sandbox }: Pick<ReturnType<typeof project>, 'sandbox'>, script: string) {
  const begin =
    'mount -t tmpfs -o size=4m tiny "$TMPDIR" && cp -r code "$TMPDIR" && cd "$TMPDIR/code" || exit'
  const { stdout, stderr } = sandbox.run('unshare', ['-rm', 'sh', '-c', `${begin}\n${script}`])
  return { stdout: stdout.replace(/x{100000}/g, 'much'), stderr }
}

const FILL = 'head -c 10000000 /dev/zero 2>/dev/null >"$TMPDIR/filler"'
const SHOW = 'show() { git show "$(git for-each-ref --format="%(refname)" refs/jci-runs):$1"; }'

test(
  'where the disk is full a line says so, and the run is ended when there is room',
  { skip: lacksTinyDisk() },
  async t => {
    const { stdout, stderr } = onTinyDisk(
      project(t, `echo begun; ${FILL}; ${much}`),
      `${SHOW}; git jci run; echo "code $?"; show status.txt
rm "$TMPDIR/filler"; git jci prune; echo "code $?"; show status.txt; show run.output.txt; ls "$TMPDIR"`,
    )
    t.match(stdout, /^begun\nmuch\ncode 1\nrunning\n0 runs, 0 B\ncode 0\nerr\ncommit: /)
    t.match(stdout, /\nbegun\n[^]*\nresult: err \(git-jci was killed, or could not store it\)\ncode\n$/)
    t.match(stderr, /^git-jci: fatal: unable to store the run '.*': .*(?:no space left|diskspace).*\n$/im)
  },
)

test(
  'a run that does not fit into the repository, ever, is ended with the reason, and leaves room',
  { skip: lacksTinyDisk() },
  async t => {
    const { stdout, stderr } = onTinyDisk(
      project(t, 'test ! -e "$TMPDIR/small" || exit 0; head -c 6000000 /dev/urandom >big'),
      `${SHOW}; large=$(mktemp -d "$(dirname "$TMPDIR")/largeXXXXXX"); TMPDIR=$large git jci run; echo "code $?"; show status.txt
find .git -name '*tmp_*' -o -name '*crash*'; git jci prune; echo "code $?"; show status.txt; show run.output.txt
touch "$TMPDIR/small"; git jci run; echo "code $?"; rm -r /tmp/jci-tiny.$$`,
    )
    t.match(
      stdout,
      /^code 1\nrunning\n0 runs, 0 B\ncode 0\nerr\ncommit: .*\nrun: .*\nresult: err \(it could not be stored: .*\)\ncode 0\n$/,
    )
    t.match(stderr, 'unable to store the run')
  },
)

test('a run whose output does not fit on the disk fails', { skip: lacksTinyDisk() }, async t => {
  const { stdout } = onTinyDisk(
    project(t, `${FILL}; ${much}; sleep 1; rm "$TMPDIR/filler"`),
    `${SHOW}; git jci run; echo "code $?"; show status.txt; show run.output.txt`,
  )
  t.match(stdout, /^much\ncode 1\nerr\n/)
  t.notMatch(stdout, 'result: ok')
})

test('another commit is tested in a worktree of its own', async t => {
  const { sandbox, git, jci, refs, file, commit } = project(t, 'cat "$JCI_REPO_ROOT/file" >file || exit 1')
  writeFileSync(sandbox.path('code/file'), 'two')
  git('add', '-A')
  git('commit', '-q', '-m', 'two')
  writeFileSync(sandbox.path('code/file'), 'changed')
  t.equal(jci('run', '--commit', 'main').code, 0)
  t.equal(
    file(
      refs().find(ref => !ref.includes(commit))!,
      'file',
    ),
    'two',
  )
  t.equal(jci('run', '--commit', 'HEAD^').code, 1)
  t.equal(
    file(
      refs().find(ref => ref.includes(commit))!,
      'status.txt',
    ),
    'err',
  )
  t.equal(git('worktree', 'list').split('\n').length, 1)
  for (const name of ['--output=x', 'nothing', '-f']) {
    t.match(jci('run', `--commit=${name}`), { code: 1, stderr: `unable to find '${name}'` })
  }
  t.notOk(existsSync(sandbox.path('code/x')))
})

test('nothing to run, nothing stored; where there are steps, they run', async t => {
  const { sandbox, git, jci, refs, file } = project(t, '')
  git('rm', '-q', '-r', '.jci')
  git('commit', '-q', '-m', 'none')
  const none = jci('run')
  t.equal(none.code, 1)
  t.match(
    none.stderr,
    /^git-jci: fatal: unable to run anything in '.*': there is no '.jci\/run.sh'; write one/,
  )
  t.match(
    jci('run', '--commit', 'HEAD').stderr,
    "unable to run anything in 'HEAD': there is no '.jci/run.sh'",
  )
  t.same(refs(), [])
  mkdirSync(sandbox.path('code/.bass'))
  const step = join(sandbox.path('code/.bass'), '10-test')
  writeFileSync(step, '#!/bin/sh\necho tested; echo a >"$BASS_ARTIFACTS/a"\n')
  chmodSync(step, 0o755)
  t.equal(jci('run').code, 0)
  const [ref] = refs()
  t.match(file(ref!, 'run.output.txt'), /== 10-test\ntested\n/)
  t.match(file(ref!, 'steps/10-test/stdout.txt'), /^@[0-9a-f]{24} tested/)
  t.equal(file(ref!, 'status.txt'), 'ok')
})

test('a run goes on and is stored where its output is read no more, or cannot be written', async t => {
  const { sandbox, refs, file } = project(t, 'for i in $(seq 30); do echo $i; sleep 0.05; done')
  for (const shell of ['git jci run | head -1', 'git jci run >/dev/full']) {
    const { code } = sandbox.run('bash', ['-o', 'pipefail', '-c', shell], { cwd: 'code' })
    t.equal(code, 0, shell)
    const ref = refs().at(-1)!
    t.equal(file(ref, 'status.txt'), 'ok')
    t.match(file(ref, 'run.output.txt'), /\n1\n(?:\d+\n)*30\n/)
    sandbox.git(sandbox.path('code'), 'update-ref', '-d', ref)
  }
})

test('all that fails has the exit code 1, also what nobody foresaw', async t => {
  const { sandbox } = project(t, 'sleep 5')
  for (const words of ['version', 'help', 'run --help', '--man']) {
    const { code, stderr } = sandbox.run('sh', ['-c', `git-jci ${words} >/dev/full`], { cwd: 'code' })
    t.same([code, stderr], [1, ''], words)
  }
  writeFileSync(sandbox.path('bug.js'), 'setTimeout(() => { throw new Error("a bug") }, 300)')
  const env = { NODE_OPTIONS: `--require=${sandbox.path('bug.js')}` }
  t.match(sandbox.run('git-jci', ['web', '0'], { cwd: 'code', env }), { code: 1, stderr: /fatal: .*a bug/ })
  t.match(sandbox.run('git-jci', ['version'], { env: { BASS_ROOT: '/nowhere' } }), {
    code: 1,
    stderr: 'npm ci',
  })
})

test('usage, and wrong usage', async t => {
  const { sandbox, jci } = project(t, '')
  t.match(jci(), { code: 1, stdout: /^usage: git-jci COMMAND/, stderr: '' })
  t.match(jci('pussh'), {
    code: 1,
    stdout: '',
    stderr: "no such command; did you mean 'push'?\nusage: git-jci",
  })
  for (const word of ['help', '-h', '--help']) {
    const { code, stdout, stderr } = sandbox.run('bin/git-jci', [word])
    t.same([code, stderr], [0, ''], word)
    for (const name of [...COMMANDS.keys(), ...Object.keys(SERVER_SETTINGS), ...Object.keys(RUNNER_SETTINGS)])
      t.ok(
        stdout.split('\n').some(line => line.startsWith(`  ${name} `) && line.length <= 100),
        name,
      )
  }
  for (const word of ['help', 'version'])
    t.match(jci('help', word), { code: 0, stdout: /^usage: git-jci COMMAND/, stderr: '' })
  for (const word of ['-v', '--version'])
    t.match(sandbox.run('bin/git-jci', [word]), { code: 0, stdout: /^git-jci \d/ })
  t.match(jci('version'), { code: 0, stdout: /^git-jci \d/ })
  t.match(jci('run', 'x'), { code: 1, stderr: "'x' is one argument too many" })
  t.match(sandbox.run('bin/bass', ['jci', 'version']), { code: 0, stdout: /^git-jci \d/ })
  t.match(sandbox.run('bin/bass', ['jci', 'run'], { cwd: '/' }), { code: 1, stderr: /not a git repository/ })
})
