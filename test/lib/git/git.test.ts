import { rmSync, writeFileSync } from 'node:fs'
import { test } from 'tap'

import { GitError, Repository, sentence } from '../../../lib/git/git.ts'
import { Sandbox } from '../../fixtures/sandbox.ts'

type Tap = ConstructorParameters<typeof Sandbox>[0]

function make(t: Tap, ...options: string[]) {
  const sandbox = new Sandbox(t)
  const path = sandbox.path('repo')
  sandbox.git(sandbox.dir, 'init', '-q', ...options, path)
  const commit = () => {
    sandbox.git(path, 'commit', '-q', '--allow-empty', '-m', 'x')
    return sandbox.git(path, 'rev-parse', 'HEAD')
  }
  const repository = new Repository(path)
  t.teardown(() => repository.close())
  return { sandbox, path, commit, repository }
}

test('a revision is a commit where git says so, through tags, in both kinds of ids', async t => {
  for (const format of ['sha1', 'sha256']) {
    const { sandbox, path, commit, repository } = make(t, `--object-format=${format}`, '-b', 'main')
    const id = commit()
    sandbox.git(path, 'tag', '-a', '-m', 'x', 'v1')
    for (const name of [id, id.slice(0, 8), 'HEAD', 'main', 'v1', 'refs/tags/v1']) {
      t.equal((await repository.commit(name))?.id, id, `${format}: ${name}`)
    }
    for (const name of ['', 'nope', '-x', '--all', 'main\nmain', '0'.repeat(id.length), `${id}^{tree}`]) {
      t.equal(await repository.commit(name), undefined, `${format}: ${name}`)
    }
    t.ok(Math.abs((await repository.commit(id))!.time - Date.now() / 1000) < 60, 'and has its time')
  }
})

test('questions put at the same time are answered each with its own', async t => {
  const { commit, repository } = make(t)
  const ids = [commit(), commit(), commit()]
  const found = await Promise.all([...ids, 'nope', ...ids].map(id => repository.commit(id)))
  t.same(
    found.map(commit => commit?.id),
    [...ids, undefined, ...ids],
  )
})

test('what was missing is found when it has come, also in a repository that was made anew', async t => {
  const { sandbox, path, commit, repository } = make(t)
  const first = commit()
  t.ok(await repository.commit(first))
  rmSync(path, { recursive: true })
  sandbox.git(sandbox.dir, 'init', '-q', path)
  sandbox.git(path, 'commit', '-q', '--allow-empty', '-m', 'another')
  const second = sandbox.git(path, 'rev-parse', 'HEAD')
  t.equal((await repository.commit(second))?.id, second)
})

test('an object that git cannot read is the trouble of who asked for it only', async t => {
  const { sandbox, path, commit, repository } = make(t)
  const [bad, good] = [commit(), commit()]
  const file = `${path}/.git/objects/${bad.slice(0, 2)}/${bad.slice(2)}`
  sandbox.ok('chmod', ['u+w', file])
  writeFileSync(file, 'rubbish')
  const [, second] = await Promise.allSettled([repository.commit(bad), repository.commit(good)])
  t.match(second, { status: 'fulfilled', value: { id: good } })
})

test('a path that is no repository is said to be none, also inside another repository', async t => {
  const { sandbox, path } = make(t)
  sandbox.ok('mkdir', [`${path}/inside`])
  for (const bad of [`${path}/inside`, sandbox.path('nope')]) {
    const repository = new Repository(bad)
    await t.rejects(repository.check(), /unable to use the repository/, bad)
  }
  const bare = sandbox.path('bare.git')
  sandbox.git(sandbox.dir, 'clone', '-q', '--bare', path, bare)
  const repository = new Repository(bare)
  await repository.check()
  repository.close()
})

test('the environment of a hook does not lead elsewhere', async t => {
  const { commit, path } = make(t)
  const id = commit()
  process.env['GIT_DIR'] = '/nowhere'
  t.teardown(() => delete process.env['GIT_DIR'])
  const repository = new Repository(path)
  t.equal((await repository.commit('HEAD'))?.id, id)
  repository.close()
})

test('commits are put in the order of rev-list, those of one second too', async t => {
  const { commit, repository } = make(t)
  const ids = Array.from({ length: 12 }, commit)
  const commits = await Promise.all([...ids].reverse().map(id => repository.commit(id)))
  t.same(await repository.inOrder(commits.map(commit => commit!)), ids)
})

test('the sentence of git is the one that says why', async t => {
  t.equal(sentence({ code: 128, stderr: 'warning: a\nfatal: b: c\nhint\n' }), 'b: c')
  t.equal(sentence({ code: 1, stderr: 'zstd: no space left\n' }), 'zstd: no space left')
  t.equal(sentence({ code: 1, stderr: '' }), 'it ended with exit code 1')
  t.equal(sentence({ code: null, stderr: '' }), 'it was killed')
})

test('a commit without a tag is not described, and one that is missing is an error', async t => {
  const { sandbox, path, commit, repository } = make(t)
  commit()
  t.equal(await repository.describe('HEAD'), undefined)
  sandbox.git(path, 'tag', 'v1')
  t.equal(String(await repository.describe('HEAD')), 'v1')
  const next = commit()
  t.match(String(await repository.describe('HEAD')), new RegExp(`^v1-1-g${next.slice(0, 7)}`))
  await t.rejects(repository.describe('nope'), GitError)
  await t.rejects(repository.describe('--all'), GitError)
})
