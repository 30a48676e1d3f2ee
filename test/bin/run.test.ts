import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { layBundles } from '../fixtures/bundle.ts'
import { Sandbox } from '../fixtures/sandbox.ts'
import { SpoolMaker } from '../fixtures/spool-maker.ts'

test('run repeats a task here and does not touch the spool', async t => {
  const sandbox = new Sandbox(t)
  const maker = new SpoolMaker(sandbox.makeSpool())
  const task = maker.waitingTask('7:hello:v1:a', { params: { WORD: 'x' } })
  const steps = {
    '10-say': '#!/bin/sh\ncat a; printf "%s" "$BASS_PARAM_WORD"; printf "\\033[2J\\n" >&2\n',
    '20-fail': '#!/bin/sh\nexit 3\n',
    '90-end.always': '#!/bin/sh\necho end\n',
  }
  layBundles(sandbox, task, { a: 'hello\n' }, steps)
  const before = sandbox.ok('find', [sandbox.spool.root])
  const { code, stdout, stderr } = sandbox.run('bin/bass', ['run', '7'])
  t.equal(code, 1)
  t.match(stdout, /^== 10-say\nhello\nx?\n*/)
  t.match(stdout, /== 20-fail\n== 90-end.always\nend\n== failure: step '20-fail' exited with 3\n$/)
  t.notMatch(stdout, /\x1b/) // eslint-disable-line no-control-regex -- it is what must not be there
  t.equal(sandbox.ok('find', [sandbox.spool.root]), before)
  const [kept] = sandbox.ls('jobtmp')
  t.match(stderr, `the files are in ${sandbox.path('jobtmp', kept!)}`)
})

test('run without a task runs the working tree, with what is not committed and without what is ignored', async t => {
  const sandbox = new Sandbox(t)
  const tree = sandbox.path('tree')
  sandbox.git(sandbox.dir, 'init', '-q', tree)
  mkdirSync(join(tree, '.bass'))
  mkdirSync(join(tree, 'sub'))
  writeFileSync(join(tree, '.bass/10-list'), '#!/bin/sh\nls -p; cat committed; readlink link; touch made\n')
  chmodSync(join(tree, '.bass/10-list'), 0o755)
  writeFileSync(join(tree, '.gitignore'), 'ignored\n')
  for (const name of ['committed', 'deleted', 'ignored']) writeFileSync(join(tree, name), 'old\n')
  sandbox.git(tree, 'add', '.')
  sandbox.git(tree, 'commit', '-q', '-m', 'one')
  writeFileSync(join(tree, 'committed'), 'new\n')
  writeFileSync(join(tree, 'added'), '')
  symlinkSync('committed', join(tree, 'link'))
  sandbox.ok('rm', [join(tree, 'deleted')])

  const { code, stdout } = sandbox.run('bin/bass', ['run'], { cwd: join(tree, 'sub') })
  t.equal(code, 0)
  t.equal(stdout, '== 10-list\nadded\ncommitted\nlink\nnew\ncommitted\n== success\n')
  t.notOk(sandbox.ls('tree').includes('made'))
  t.same(sandbox.ls('jobtmp'), [], 'nothing is left')
})

test('run without a task has files of any name, and the steps of STEPS as a master packs them', async t => {
  const sandbox = new Sandbox(t)
  const path = (name: string) => Buffer.from(sandbox.path(name), 'latin1')
  for (const name of ['tree', 'steps']) sandbox.git(sandbox.dir, 'init', '-q', name)
  mkdirSync(path('tree/d\xe9'))
  writeFileSync(path('tree/d\xe9/caf\xe9'), 'bytes\n')
  symlinkSync(Buffer.from('d\xe9/caf\xe9', 'latin1'), path('tree/link\xff'))
  mkdirSync(path('tree/.bass'))
  writeFileSync(path('tree/.bass/10-own'), '#!/bin/sh\nls .; cat link*\n', { mode: 0o755 })
  const own = sandbox.run('bin/bass', ['run'], { cwd: sandbox.path('tree') })
  t.match(own, { code: 0, stdout: /\nbytes\n== success\n$/ })

  // What `git archive` would leave out or change.
  writeFileSync(path('steps/.gitattributes'), '10-a export-ignore\n20-b export-subst\n')
  writeFileSync(path('steps/10-a'), '#!/bin/sh\ncat link*\n', { mode: 0o755 })
  writeFileSync(path('steps/20-b'), "#!/bin/sh\necho '$Format:%H$'\n", { mode: 0o755 })
  sandbox.git(sandbox.path('steps'), 'add', '.')
  sandbox.git(sandbox.path('steps'), 'commit', '-q', '-m', 'one')
  const env = { STEPS: sandbox.path('steps') }
  const { code, stdout } = sandbox.run('bin/bass', ['run'], { cwd: sandbox.path('tree'), env })
  t.equal(code, 0)
  t.equal(stdout, '== 10-a\nbytes\n== 20-b\n$Format:%H$\n== success\n')

  const gone = { STEPS: sandbox.path('gone') }
  t.match(sandbox.run('bin/bass', ['run'], { cwd: sandbox.path('tree'), env: gone }), {
    code: 100,
    stderr: /read the steps of .*gone/,
  })
})

test('run without a task, steps or working tree says what is missing', async t => {
  const sandbox = new Sandbox(t)
  t.match(sandbox.run('bin/bass', ['run']), { code: 100, stderr: /it is in no git working tree/ })
  sandbox.git(sandbox.dir, 'init', '-q')
  t.match(sandbox.run('bin/bass', ['run']), {
    code: 100,
    stderr: /STEPS is not set, and there is neither \.bass\/ in it nor a Testfile/,
  })
  t.same(sandbox.ls('jobtmp'), [])
})

test('run without steps runs the lines of the Testfiles here and above, as a change here would', async t => {
  const sandbox = new Sandbox(t)
  const tree = sandbox.path('tree')
  sandbox.git(sandbox.dir, 'init', '-q', tree)
  for (const place of ['sdk/go', 'web']) mkdirSync(join(tree, place), { recursive: true })
  writeFileSync(join(tree, 'Testfile'), 'all: cat version; false | true\n')
  writeFileSync(join(tree, 'version'), '7\n')
  writeFileSync(join(tree, 'sdk/go/Testfile'), '# two\nhere: basename "$PWD"\nlist: ls ..\n')
  writeFileSync(join(tree, 'web/Testfile'), 'no: exit 9\n')
  const run = (cwd: string) => sandbox.run('bin/bass', ['run'], { cwd: join(tree, cwd) })
  const { code, stdout } = run('sdk/go')
  t.equal(code, 1)
  t.equal(
    stdout,
    "== 001 sdk.go here\ngo\n== 002 sdk.go list\ngo\n== 003 all\n7\n== failure: step '003 all' exited with 1\n",
  )
  writeFileSync(join(tree, 'web/Testfile'), 'no\n')
  t.match(run('web'), { code: 100, stderr: /web\/Testfile:1: it is not 'NAME: COMMAND'/ })
})
