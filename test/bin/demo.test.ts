import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { processesWith } from '../../lib/system/process.ts'
import { eventually, ROOT, Sandbox } from '../fixtures/sandbox.ts'

/** A TMPDIR of its own for the demo, and what is left in it and of its processes. */
function stage(sandbox: Sandbox) {
  const TMPDIR = sandbox.path('tmp')
  mkdirSync(TMPDIR)
  const left = () => ({ files: readdirSync(TMPDIR), processes: processesWith(`TMPDIR=${TMPDIR}`) })
  return { env: { TMPDIR, SPOOL: undefined }, left }
}

const NOTHING = { files: [], processes: [] }

test('a push of this tree ends in a successful job, and nothing is left', async t => {
  const sandbox = new Sandbox(t)
  const { env, left } = stage(sandbox)
  const { code, stdout, stderr } = sandbox.run('bin/bass', ['demo'], { env })
  t.equal(code, 0, stdout + stderr)
  for (const step of ['10-configure', '20-build', '30-test', '40-package']) {
    t.match(stdout, new RegExp(`^== ${step}: (success|skipped), `, 'm'), step)
  }
  t.match(stdout, /^== 1:bass:\S+: success$/m)
  t.match(stdout, /^What to type next/m)
  t.same(left(), NOTHING)
})

test('with --web its pages open while the job runs; interrupted in the middle of a step, it leaves nothing', async t => {
  const sandbox = new Sandbox(t)
  const { env, left } = stage(sandbox)
  mkdirSync(sandbox.path('path'))
  writeFileSync(sandbox.path('path/xdg-open'), `#!/bin/sh\necho "$1" >'${sandbox.path('opened')}'\n`, {
    mode: 0o755,
  })
  const PATH = `${sandbox.path('path')}:${sandbox.env['PATH']!}`
  const demo = sandbox.start('bin/bass', ['demo', '--web'], { env: { ...env, PATH, DISPLAY: ':9' } })
  const url = await eventually('the pages', () => /^ {2}pages +(http:\S+)$/m.exec(demo.stdout())?.[1], 60)
  await eventually('they are opened', () => sandbox.ls('.').includes('opened'))
  t.equal(readFileSync(sandbox.path('opened'), 'utf8'), `${url}\n`)
  await eventually('the build', () => demo.stdout().includes('== 20-build'), 60)
  t.match(await (await fetch(url)).text(), /href="\/project\/bass"/)
  t.equal((await demo.kill('SIGINT')).code, 130)
  t.same(left(), NOTHING)
})

test('a tree without history is pushed as one commit; a job that fails keeps its directory and is told', async t => {
  const sandbox = new Sandbox(t)
  const { env, left } = stage(sandbox)
  const tree = sandbox.path('tree')
  for (const name of [
    'bin',
    'dist',
    'examples',
    'hooks',
    'lib',
    'master',
    'slave',
    'package.json',
    'tsconfig.json',
  ]) {
    cpSync(join(ROOT, name), join(tree, name), { recursive: true })
  }
  symlinkSync(join(ROOT, 'node_modules'), join(tree, 'node_modules'))
  writeFileSync(join(tree, 'hooks/broken'), '#!/bin/sh\nif\n')
  const { code, stdout } = sandbox.run(join(tree, 'bin/bass'), ['demo'], { env })
  t.equal(code, 1)
  t.match(stdout, 'no history here: one commit of the files')
  t.match(stdout, /hooks\/broken: .*[Ss]yntax error/)
  t.match(stdout, /^== 20-build: failure \(exit 2\)/m)
  const kept = /^Everything is still in (\S+)\.$/m.exec(stdout)?.[1] ?? ''
  t.ok(existsSync(join(kept, 'spool/tasks/ctr/1')), kept)
  t.same(left().processes, [])
})

test('with --jci a run is stored, pushed, pulled by another clone and shown there', async t => {
  const sandbox = new Sandbox(t)
  const { env, left } = stage(sandbox)
  const { code, stdout, stderr } = sandbox.run('bin/bass', ['demo', '--jci'], { env })
  t.equal(code, 0, stdout + stderr)
  t.match(stdout, /ok.* hooks\/post-receive$/m)
  t.match(stdout, /^1 run pushed to origin$/m)
  t.match(stdout, /^1 run pulled from origin$/m)
  t.match(stdout, /^ {2}page +http:\S+: success$/m)
  t.match(stdout, /^ {2}ref +refs\/jci-runs\/[0-9a-f]{40}\/\d+-[0-9a-f]{4}$/m)
  t.match(stdout, /^What to type next/m)
  t.same(left(), NOTHING)
})

test('the demo of git jci without a bash fails, says where everything is, and leaves no process', async t => {
  const sandbox = new Sandbox(t)
  const { env, left } = stage(sandbox)
  mkdirSync(sandbox.path('path'))
  writeFileSync(sandbox.path('path/bash'), '#!/bin/sh\nexit 3\n', { mode: 0o755 })
  const PATH = `${sandbox.path('path')}:${sandbox.env['PATH']!}`
  const { code, stdout } = sandbox.run('bin/bass', ['demo', '--jci'], { env: { ...env, PATH } })
  t.equal(code, 1)
  t.match(stdout, /^ {2}page +http:\S+: failed$/m)
  t.match(stdout, /^Everything is still in /m)
  t.same(left().processes, [])
})

test('with --forge a pull request is delivered, and the checks of what it touches turn green on the forge', async t => {
  const sandbox = new Sandbox(t)
  const { env, left } = stage(sandbox)
  const { code, stdout, stderr } = await sandbox.start('bin/bass', ['demo', '--forge'], { env }).ended
  t.equal(code, 0, stdout + stderr)
  const [main = '', change = ''] = stdout.split('A pull request that touches')
  const green = (text: string) => [...text.matchAll(/✓ (\S+ \S+) +passed/g)].map(([, name]) => name).sort()
  t.same(green(main), ['api syntax', 'api unit', 'docs spelling', 'web links', 'web title'])
  t.same(green(change), ['api syntax', 'api unit', 'web links', 'web title'], 'docs is not concerned')
  t.match(change, /● web links +queued: /)
  t.match(change, /delivery http:\S+\/hooks\/site: 202 after \d+ ms, stored as [0-9a-f-]{36}/)
  t.match(change, /4 checks are green/)
  t.same(left(), NOTHING)
})

test('with --farmer a signed webhook becomes jobs, whose output is shown; nothing is left', async t => {
  const sandbox = new Sandbox(t)
  const { env, left } = stage(sandbox)
  if (process.getuid?.() === 0) {
    t.match(sandbox.run('bin/bass', ['demo', '--farmer'], { env }), {
      code: 100,
      stderr: /may not write there/,
    })
    rmSync(env.TMPDIR, { recursive: true })
    mkdirSync(env.TMPDIR)
    // Root's PostgreSQL runs as another user.
    chmodSync(sandbox.dir, 0o711)
  }
  const { code, stdout, stderr } = sandbox.run('bin/bass', ['demo', '--farmer'], { env })
  t.equal(code, 0, stdout + stderr)
  for (const label of ['sieve first', 'sieve slowly', 'lines'])
    t.match(stdout, new RegExp(`^== ${label}: success, \\d+\\.\\d s after the webhook$`, 'm'))
  t.notMatch(stdout, /spelling/, 'no Testfile that the push does not concern')
  t.same(left(), NOTHING)
})

test('without an engine --container is one sentence', t => {
  const sandbox = new Sandbox(t)
  const { env, left } = stage(sandbox)
  const { code, stdout, stderr } = sandbox.run('bin/bass', ['demo', '--container'], {
    env: { ...env, CONTAINER: 'nerdctl' },
  })
  t.same([code, stdout], [100, ''])
  t.match(stderr, /^bass: fatal: .*'nerdctl' is neither podman nor docker\n$/)
  t.same(left(), NOTHING)
  t.end()
})
