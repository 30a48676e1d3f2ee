// Stored runs, with real git: what is in them, that none is overwritten, and how many processes it takes.

import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { test } from 'tap'

import { listRuns, readStatuses } from '../../../bin/jci/runs/list.ts'
import { drawRunId, parseRunRef, refOf } from '../../../lib/jci/run-ref.ts'
import { replaceRun, storeRun } from '../../../lib/jci/store.ts'
import { countingGit } from '../../fixtures/counting-git.ts'
import { makeRepository } from '../../fixtures/repository.ts'
import { Sandbox } from '../../fixtures/sandbox.ts'

function setUp(t: ConstructorParameters<typeof Sandbox>[0]) {
  const sandbox = new Sandbox(t)
  const { path, commits } = makeRepository(sandbox, 'one', 'two')
  const directory = sandbox.path('output')
  mkdirSync(directory)
  writeFileSync(`${directory}/status.txt`, 'ok\n')
  return { sandbox, repository: path, commits: commits as [string, string], directory }
}

test('a directory is stored with its subdirectories, modes, links and odd names', async t => {
  const { sandbox, repository, commits, directory } = setUp(t)
  mkdirSync(`${directory}/deep/er`, { recursive: true })
  mkdirSync(`${directory}/empty`)
  mkdirSync(`${directory}/deep/.GIT`)
  writeFileSync(`${directory}/deep/.GIT/config`, 'evil')
  writeFileSync(`${directory}/deep/er/run`, '#!/bin/sh\n')
  chmodSync(`${directory}/deep/er/run`, 0o755)
  symlinkSync('/etc/passwd', `${directory}/link`)
  symlinkSync('deep', `${directory}/to-directory`)
  const odd = Buffer.from('\xff "new\nline" \t--help', 'latin1')
  writeFileSync(Buffer.concat([Buffer.from(`${directory}/`), odd]), 'odd')
  execFileSync('mkfifo', [`${directory}/fifo`])
  const big = Buffer.alloc(300_000, 'x\r\n')
  writeFileSync(`${directory}/big`, big)
  writeFileSync(`${directory}/.gitattributes`, '* text eol=lf\n')

  const stored = await storeRun(repository, commits[1], directory)
  t.same([...stored!.skipped].sort(), ['deep/.GIT: git reserves this name', 'fifo: not a file'])
  t.match(stored!.ref, new RegExp(`^refs/jci-runs/${commits[1]}/\\d+-[0-9a-f]{4}$`))
  const names = sandbox
    .git(repository, 'ls-tree', '-r', '-z', stored!.ref)
    .split('\0')
    .map(line => line.replace(/ blob [0-9a-f]+\t/, ' '))
  t.same(names.filter(name => !name.includes('new')).sort(), [
    '',
    '100644 .gitattributes',
    '100644 big',
    '100644 status.txt',
    '100755 deep/er/run',
    '120000 link',
    '120000 to-directory',
  ])
  t.equal(names.length, 8)
  t.equal(sandbox.git(repository, 'cat-file', 'blob', `${stored!.ref}:link`), '/etc/passwd')
  t.ok(execFileSync('git', ['-C', repository, 'cat-file', 'blob', `${stored!.ref}:big`]).equals(big))
  t.match(
    sandbox.git(repository, 'log', '-1', '--format=%B', stored!.ref),
    /^CI results for [0-9a-f]{12} \(run /,
  )
  t.equal(sandbox.git(repository, 'status', '--porcelain'), '')
  // Another repository takes it, however strict it is.
  sandbox.git(sandbox.dir, 'init', '-q', '--bare', 'strict.git')
  sandbox.git(sandbox.path('strict.git'), 'config', 'receive.fsckObjects', 'true')
  sandbox.git(repository, 'push', '-q', sandbox.path('strict.git'), 'refs/jci-runs/*:refs/jci-runs/*')
})

test('a name is taken once, and a replacement is a fast-forward', async t => {
  const { sandbox, repository, commits, directory } = setUp(t)
  const run = drawRunId(Date.now())
  writeFileSync(`${directory}/status.txt`, 'running\n')
  const first = await storeRun(repository, commits[0], directory, run)
  t.equal(await storeRun(repository, commits[0], directory, run), undefined)
  writeFileSync(`${directory}/status.txt`, 'err\n')
  const second = await replaceRun(repository, first!, directory)
  t.equal(second!.ref, first!.ref)
  t.equal(sandbox.git(repository, 'rev-parse', `${first!.ref}^`), first!.id)
  writeFileSync(`${directory}/status.txt`, 'ok\n')
  t.equal(await replaceRun(repository, first!, directory), undefined, 'somebody else has replaced it')
  t.same(
    [...(await readStatuses(repository, [first!.id, second!.id, commits[0]])).values()],
    ['running', 'err'],
  )
})

test('what a process that was left behind removes, replaces and shortens meanwhile', async t => {
  const { sandbox, repository, commits, directory } = setUp(t)
  // Each is done in one stroke, and again and again, so that a store meets some of them.
  const script = `
    while :; do
      mkdir -p d; for i in $(seq 200); do echo >d/$i; done
      rm -rf d; ln -s status.txt d; rm d
      truncate -s 0 big; truncate -s 9000000 big
    done`
  const left = sandbox.start('sh', ['-c', script], { cwd: directory })
  const skipped: string[] = []
  for (let i = 0; i < 12; i++) {
    const stored = await storeRun(repository, commits[0], directory)
    skipped.push(...stored!.skipped)
    t.equal(sandbox.git(repository, 'show', `${stored!.ref}:status.txt`), 'ok')
  }
  await left.kill('SIGKILL')
  t.ok(skipped.length > 0, 'the test has met it')
  t.same(
    skipped.filter(
      why => !/: (no such file|not a dir|invalid arg|not a file|too many symb|it became shorter)/.test(why),
    ),
    [],
  )
  const stored = await storeRun(repository, commits[0], directory)
  t.same(stored!.skipped, [])
  sandbox.git(repository, 'fsck', '--strict')
})

test('it is stored without an identity, in a repository of SHA-256, bare, and under a hook', async t => {
  const { sandbox, directory } = setUp(t)
  sandbox.git(sandbox.dir, 'init', '-q', '--bare', '--object-format=sha256', 'other.git')
  const before = process.env
  t.teardown(() => (process.env = before))
  process.env = {
    PATH: before['PATH'],
    HOME: sandbox.path('nowhere'),
    GIT_DIR: '/nowhere',
    GIT_CONFIG_NOSYSTEM: '1',
  }
  const commit = 'ab'.repeat(32)
  const stored = await storeRun(sandbox.path('other.git'), commit, directory)
  t.equal(
    sandbox.git(sandbox.path('other.git'), 'log', '-1', '--format=%an <%ae>', stored!.ref),
    'git-jci <git-jci@localhost>',
  )
  t.same(await listRuns(sandbox.path('other.git')), [
    { commit, run: stored!.run, ref: stored!.ref, id: stored!.id },
  ])
  t.equal((await readStatuses(sandbox.path('other.git'), [stored!.id])).get(stored!.id), 'ok')
})

test('ten thousand files cost no more processes than one, and so do a thousand runs', async t => {
  const { sandbox, repository, commits, directory } = setUp(t)
  const count = countingGit(t, sandbox)
  await storeRun(repository, commits[0], directory)
  const few = count()
  for (let i = 0; i < 100; i++) {
    mkdirSync(`${directory}/${i}`)
    for (let j = 0; j < 100; j++) writeFileSync(`${directory}/${i}/${j}`, `${i} ${j}`)
  }
  const stored = await storeRun(repository, commits[0], directory)
  t.equal(count(), few)
  t.ok(few <= 6, String(few))
  t.equal(sandbox.git(repository, 'ls-tree', '-r', '--name-only', stored!.ref).split('\n').length, 10_001)
  const refs = Array.from({ length: 1000 }, (_, i) =>
    refOf({ commit: commits[1], run: `${1000 + i}-${i.toString(16).padStart(4, '0')}` }),
  )
  sandbox.ok('git', ['update-ref', '--stdin'], {
    cwd: repository,
    input: refs.map(ref => `create ${ref} ${stored!.id}\n`).join(''),
  })
  count()
  const runs = await listRuns(repository)
  t.equal(runs.length, 1002)
  t.equal(runs[2]!.run, '1999-03e7', 'newest first')
  t.equal(
    (
      await readStatuses(
        repository,
        runs.map(run => run.id),
      )
    ).size,
    2,
  )
  t.equal(count(), 2)
  t.equal((await listRuns(repository, [commits[0]])).length, 2)
})

test('statuses that others wrote, or wrote badly', async t => {
  const { repository, commits, directory } = setUp(t)
  const ids: string[] = []
  for (const text of ['ok', ' err \r\n', 'running', 'fine', '', 'ok'.padEnd(200_000)]) {
    writeFileSync(`${directory}/status.txt`, text)
    ids.push((await storeRun(repository, commits[0], directory))!.id)
  }
  const statuses = await readStatuses(repository, [...ids, 'no such\nthing', commits[0]])
  t.same(
    ids.map(id => statuses.get(id)),
    ['ok', 'err', 'running', undefined, undefined, undefined],
  )
})

test('the name of a run', t => {
  const commit = 'a'.repeat(40)
  t.same(parseRunRef(`refs/jci-runs/${commit}/1700000000-beef`), { commit, run: '1700000000-beef' })
  for (const ref of [
    `refs/jci-runs/${commit}`,
    `refs/jci-runs/${commit}/x`,
    `refs/jci-runs/${commit}/1700000000-beef/x`,
    `refs/jci-runs/${'A'.repeat(40)}/1700000000-beef`,
    `refs/jci/${commit}/1700000000-beef`,
    'refs/jci-runs/../1-aaaa',
  ])
    t.equal(parseRunRef(ref), undefined, ref)
  t.match(drawRunId(1_700_000_000_999), /^1700000000-[0-9a-f]{4}$/)
  t.end()
})
