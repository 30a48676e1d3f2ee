import { createHash, randomBytes } from 'node:crypto'
import { getEventListeners } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { test } from 'tap'

import { tolerating } from '../../../lib/base/errno.ts'
import { GitError, Repository } from '../../../lib/git/repository.ts'
import { sentence } from '../../../lib/git/process.ts'
import { eventually, Sandbox } from '../../fixtures/sandbox.ts'

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

test('many that work at once for one signal are no reason for a warning, and leave nothing with it', async t => {
  const { path, commit } = make(t)
  const id = commit()
  const stop = new AbortController()
  const warnings: string[] = []
  const hear = (warning: Error) => warnings.push(warning.message)
  process.on('warning', hear)
  const all = Array.from({ length: 12 }, () => new Repository(path, stop.signal))
  for (const found of await Promise.all(all.map(one => one.commit(id)))) t.equal(found?.id, id)
  for (const one of all) one.close()
  await eventually('the end of each', () => getEventListeners(stop.signal, 'abort').length === 0)
  process.off('warning', hear)
  t.same(warnings, [])
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

/** The processes of ours that wait to become a git. */
const parked = (): number[] =>
  readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .filter(pid => {
      const read = (name: string) =>
        tolerating(['ENOENT', 'ESRCH'], () => readFileSync(`/proc/${pid}/${name}`, 'utf8'))
      return (
        read('stat')?.includes(`(sh) S ${process.pid} `) === true && read('cmdline')?.includes('describe')
      )
    })
    .map(Number)

test('a repository that rests has a process ready for the next description, and needs none', async t => {
  const { sandbox, path, commit, repository } = make(t)
  const [first, second] = [commit(), commit()]
  sandbox.git(path, 'tag', 'v1', first)
  const name = `v1-1-g${second.slice(0, 7)}`
  const rest = async () => {
    repository.rest()
    await eventually('a process that waits', () => parked().length === 1)
  }
  await rest()
  const [pid] = parked()
  t.equal(String(await repository.describe('HEAD')), name)
  t.same(parked(), [pid], 'a name is no word for it')
  t.equal(String(await repository.describe(second)), name)
  t.same(parked(), [])
  await rest()
  await t.rejects(repository.describe('1'.repeat(second.length)), new GitError('no such commit'))
  await rest()
  process.kill(parked()[0]!, 'SIGKILL')
  await eventually('its end', () => parked().length === 0)
  t.equal(String(await repository.describe(second)), name, 'one that was killed')
  await rest()
  repository.close()
  await eventually('the end of all', () => parked().length === 0)
  repository.rest()
  await t.rejects(repository.check(), /not in use any more/)
  t.same(parked(), [], 'a closed one does not rest')
})

test('a process that waits for a description and finds no git says nothing of the commit', async t => {
  const { sandbox, path, commit } = make(t)
  const id = commit()
  sandbox.ok('sh', ['-c', 'mkdir bin && ln -s "$(command -v git)" "$(command -v sh)" bin'])
  const repository = new Repository(path, undefined, { PATH: sandbox.path('bin') })
  t.teardown(() => repository.close())
  repository.rest()
  await eventually('a process that waits', () => parked().length === 1)
  rmSync(sandbox.path('bin/git'))
  await t.rejects(repository.describe(id), /^unable to run 'git'/)
})

test('those that are expected are described together, and each gets what it would get alone', async t => {
  const { sandbox, path, commit } = make(t, '-b', 'main')
  const started = sandbox.path('started')
  const repository = new Repository(path, undefined, { GIT_TRACE: started })
  t.teardown(() => repository.close())
  const starts = () => readFileSync(started, 'utf8').split('built-in: git describe').length - 1
  const ask = async (ids: readonly string[]) => {
    repository.expectDescribed(ids)
    const answers = await Promise.allSettled(ids.map(id => repository.describe(id)))
    return answers.map(one =>
      one.status === 'fulfilled' ? String(one.value) : (one.reason as Error).message,
    )
  }
  const ids = Array.from({ length: 5 }, commit)
  t.same(
    await ask(ids),
    ids.map(() => 'undefined'),
  )
  t.equal(starts(), 1, 'where there is no tag')
  sandbox.git(path, 'tag', 'v1', ids[0]!)
  const names = ids.map((id, i) => (i === 0 ? 'v1' : `v1-${i}-g${id.slice(0, 7)}`))
  t.same(await ask(ids), names)
  t.equal(starts(), 2, 'a tag that has come since')
  t.same(await ask([...ids, ids[0]!]), [...names, 'v1'], 'one that is expected twice')
  t.same(await ask(['HEAD', '--all', ids[1]!]), [names[4], 'no such commit', names[1]], 'names')
  sandbox.git(path, 'switch', '-q', '--orphan', 'other')
  sandbox.git(path, 'commit', '-q', '--allow-empty', '-m', 'not the first once more')
  const apart = sandbox.git(path, 'rev-parse', 'HEAD')
  const missing = '1'.repeat(ids[0]!.length)
  t.same(await ask([ids[1]!, apart, missing, ids[2]!]), [names[1], 'undefined', 'no such commit', names[2]])
  const many = Array.from({ length: 40 }, commit)
  sandbox.git(path, 'tag', 'v2', many[0]!)
  const before = starts()
  t.same((await ask(many)).slice(-1), [`v2-39-g${many[39]!.slice(0, 7)}`])
  t.equal(starts() - before, 2, 'forty take two')
})

test('a tree is asked of git once; in a repository made anew there is nothing of it', async t => {
  const { sandbox, path, commit, repository } = make(t)
  writeFileSync(`${path}/file`, 'content')
  sandbox.git(path, 'add', 'file')
  const id = commit()
  await repository.check()
  const [one] = await repository.entries(id)
  t.equal(one?.name, 'file')
  rmSync(`${path}/.git/objects`, { recursive: true })
  mkdirSync(`${path}/.git/objects`)
  t.same(await repository.entries(id), [one], 'git could not say that any more')
  await t.rejects(repository.read(one!.id, { begin: () => undefined, take: () => undefined }))
  sandbox.ok('mv', [path, `${path}.old`])
  sandbox.git(sandbox.dir, 'init', '-q', path)
  await repository.check()
  await t.rejects(repository.entries(id), GitError)
  t.equal(await repository.commit(id), undefined)
})

test('nor is there where it was made anew before the one that was there has rested', async t => {
  const { sandbox, path, commit, repository } = make(t)
  const id = commit()
  await repository.check()
  t.ok(await repository.commit(id))
  repository.rest()
  sandbox.ok('mv', [path, `${path}.old`])
  sandbox.git(sandbox.dir, 'init', '-q', path)
  await repository.check()
  t.equal(await repository.commit(id), undefined)
})

test('what is in a commit is listed and read, whatever the bytes of its names', async t => {
  for (const format of ['sha1', 'sha256']) {
    const { sandbox, path, commit, repository } = make(t, `--object-format=${format}`)
    const odd = Buffer.from('caf\u00e9\ttwo', 'latin1')
    writeFileSync(Buffer.concat([Buffer.from(`${path}/`), odd]), 'odd')
    mkdirSync(`${path}/d/e`, { recursive: true })
    writeFileSync(`${path}/d/e/f`, 'deep')
    writeFileSync(`${path}/d/run`, '#!/bin/sh', { mode: 0o755 })
    symlinkSync('../nowhere', `${path}/d/l`)
    sandbox.git(path, 'add', '-A')
    const first = commit()
    const files = await repository.files(first)
    t.same(
      files.map(({ kind, name }) => `${kind} ${name}`),
      [`file ${odd.toString('latin1')}`, 'file d/e/f', 'link d/l', 'executable d/run'],
    )
    t.equal(String(await repository.file(first, 'd/e/f', 10)), 'deep')
    t.equal(String(await repository.file(first, 'd/l', 10)), '../nowhere')
    for (const [name, max] of [
      ['d/e/f', 3],
      ['d/e', 10],
      ['none', 10],
      ['d/e/f/g', 10],
    ] as const) {
      t.equal(await repository.file(first, name, max), undefined, name)
    }
    rmSync(`${path}/d/e/f`)
    writeFileSync(`${path}/\u00e9`, '')
    sandbox.git(path, 'add', '-A')
    const second = commit()
    t.equal(String(await repository.file(second, '\u00e9', 10)), '')
    await t.rejects(repository.entries('f'.repeat(first.length)), GitError)
  }
})

test('an object goes to its reader as fast as it takes it, and one that wants no more keeps nobody else waiting', async t => {
  const { sandbox, path, commit, repository } = make(t)
  const content = randomBytes(3 << 20)
  writeFileSync(`${path}/large`, content)
  sandbox.git(path, 'add', '-A')
  const id = commit()
  const [large] = await repository.entries(id)
  const hash = createHash('sha256')
  let busy = false
  const slowly = repository.read(large!.id, {
    begin: ({ size }) => void t.equal(size, content.length),
    take: async bytes => {
      t.notOk(busy)
      busy = true
      hash.update(bytes)
      await new Promise(done => setTimeout(done, 1))
      busy = false
    },
  })
  const refusing = (take: () => void | Promise<void>) =>
    repository.read(large!.id, { begin: () => undefined, take })
  const results = await Promise.allSettled([
    slowly,
    repository.commit(id),
    refusing(() => {
      throw new Error('enough')
    }),
    refusing(() => Promise.reject(new Error('enough as well'))),
    repository.read('f'.repeat(40), { begin: () => undefined, take: () => undefined }),
    repository.commit(id),
  ])
  t.match(results, [
    { status: 'fulfilled' },
    { value: { id } },
    { reason: { message: 'enough' } },
    { reason: { message: 'enough as well' } },
    { reason: GitError },
    { value: { id } },
  ])
  t.equal(hash.digest('hex'), createHash('sha256').update(content).digest('hex'))
})

test('a repository that nobody can read fails all questions, without a process for each', async t => {
  const { path } = make(t)
  rmSync(`${path}/.git`, { recursive: true })
  const repository = new Repository(path)
  const asked = await Promise.allSettled(Array.from({ length: 500 }, () => repository.commit('HEAD')))
  t.ok(asked.every(({ status }) => status === 'rejected'))
  repository.close()
})
