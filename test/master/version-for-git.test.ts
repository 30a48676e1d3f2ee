import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { day } from '../../master/make/version.ts'
import { ROOT, Sandbox } from '../fixtures/sandbox.ts'

const PROGRAM = 'master/bin/version-for-git'

function make(t: ConstructorParameters<typeof Sandbox>[0], ...options: string[]) {
  const sandbox = new Sandbox(t)
  const path = sandbox.path('repo')
  sandbox.git(sandbox.dir, 'init', '-q', ...options, path)
  const commit = () => {
    const env = { GIT_COMMITTER_DATE: '2026-11-21T23:30:00-0800' }
    sandbox.ok('git', ['commit', '-q', '--allow-empty', '-m', 'x'], { cwd: path, env })
    return sandbox.git(path, 'rev-parse', 'HEAD')
  }
  const version = (...args: string[]) => sandbox.ok(PROGRAM, args, { cwd: path })
  return { sandbox, path, commit, version }
}

test('a version is the tag, or how far behind which tag the commit is', async t => {
  const { sandbox, path, commit, version } = make(t)
  commit()
  sandbox.git(path, 'tag', 'v1.2')
  t.equal(version(), 'v1.2')
  commit()
  const id = commit()
  t.equal(version(), `v1.2-2-g${id.slice(0, 7)}`)
  t.equal(version('HEAD~2'), 'v1.2')
  sandbox.git(path, 'tag', '-a', '-m', 'x', 'release/2.0+é')
  t.equal(version('HEAD'), 'release-2.0+--')
})

test('without a tag it is the day in UTC and the short id, in both kinds of ids', async t => {
  for (const format of ['sha1', 'sha256']) {
    const { commit, version } = make(t, `--object-format=${format}`)
    const id = commit()
    t.equal(version(), `20261122-${id.slice(0, 7)}`)
  }
})

test('a changed work tree does not matter, and a bare repository will do', async t => {
  const { sandbox, path, commit } = make(t)
  commit()
  sandbox.git(path, 'tag', 'v1')
  sandbox.ok('touch', [`${path}/new`])
  sandbox.git(path, 'add', 'new')
  t.equal(sandbox.ok(PROGRAM, [], { cwd: path }), 'v1')
  t.equal(sandbox.ok(PROGRAM, [], { cwd: `${path}/.git` }), 'v1')
})

test('what is no commit, or no repository, is a lasting error of one line', async t => {
  const { sandbox, path, commit } = make(t)
  commit()
  for (const [cwd, args] of [
    [path, ['nope']],
    [sandbox.dir, []],
  ] as const) {
    const ended = sandbox.run(PROGRAM, [...args], { cwd })
    t.match(ended, { code: 100, stdout: '' })
    t.match(ended.stderr, /^version-for-git: fatal: unable to describe '.*': .*\n$/)
  }
  t.match(sandbox.run(PROGRAM, [''], { cwd: path }), { code: 100, stderr: /an argument is empty/ })
  mkdirSync(sandbox.path('empty'))
  t.equal(sandbox.run(PROGRAM, ['a', 'b'], { cwd: path }).code, 100)
})

test('an instant that no calendar has is still a day', async t => {
  t.equal(day(0), '19700101')
  t.equal(day(1e15), '99991231')
})

test('the short cut of the launcher says what the program says', async t => {
  const { sandbox, path, commit } = make(t)
  const both = (revision?: string) => {
    const args = revision === undefined ? [] : [revision]
    const program = sandbox.run('node', [join(ROOT, 'dist/master/version-for-git.js'), ...args], {
      cwd: path,
    })
    const launcher = sandbox.run(PROGRAM, args, { cwd: path })
    t.same(launcher, program, `${revision ?? 'nothing'}: ${program.stdout}`)
  }
  const first = commit()
  both()
  both(first.slice(0, 6))
  sandbox.git(path, 'config', 'log.showSignature', 'true')
  both('HEAD')
  both('HEAD^{tree}')
  const second = commit()
  for (const tag of ['x-0-gabc', 'release/2.0+é', '_x', '-dash', 't'.repeat(200)]) {
    // Not by `git tag`, which refuses some of these.
    sandbox.git(path, 'update-ref', `refs/tags/${tag}`, second)
    both(second)
    commit()
    both()
    sandbox.git(path, 'update-ref', '-d', `refs/tags/${tag}`)
    sandbox.git(path, 'reset', '-q', '--hard', second)
  }
  for (const odd of ['nope', '', ' ', 'HEAD..HEAD', '@{-1}']) both(odd)
})
