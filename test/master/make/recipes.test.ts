// What events become where the code has Testfiles: real git, real tasks.

import { mkdirSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { Repository } from '../../../lib/git/repository.ts'
import type { Check } from '../../../lib/testfile/choose.ts'
import { look } from '../../../lib/view/settled.ts'
import type { TaskView } from '../../../lib/view/view.ts'
import { checksOfEvent } from '../../../master/make/checks.ts'
import { checkOf } from '../../../master/notify/check.ts'
import type { Notice } from '../../../master/notify/notice.ts'
import { FILES, NAMES, NOTHING, TARGETS } from '../../fixtures/check-names.ts'
import { Workshop } from '../../fixtures/workshop.ts'

type Tap = ConstructorParameters<typeof Workshop>[0]

/** A workshop whose steps are in the code, and one architecture. */
class Monorepo extends Workshop {
  constructor(t: Tap, files: Record<string, string>) {
    super(t)
    this.commit(files)
  }

  /** The labels of the tasks that an event of HEAD becomes, in the order of their numbers. */
  async labels(params = '', ref = 'refs/heads/main', targets = ['x86']): Promise<string[]> {
    const before = this.published()
    this.touch(`${ref}/${this.git(this.code, 'rev-parse', 'HEAD')}`, params)
    await this.burst({ steps: undefined, targets })
    return this.published()
      .filter(name => !before.includes(name))
      .map(name =>
        this.ls('spool/tasks/cur', name).includes('label.txt') ? this.read(name, 'label.txt') : '-',
      )
  }

  /** The checks of HEAD, of which no tasks are made. */
  async checks(params: Record<string, string>): Promise<Check[]> {
    const code = new Repository(this.code)
    try {
      return await checksOfEvent(code, this.git(this.code, 'rev-parse', 'HEAD'), params)
    } finally {
      code.close()
    }
  }

  parent = () => `BASE=${this.git(this.code, 'rev-parse', 'HEAD^')}\n`
}

const TREE = {
  Testfile: 'all: echo root\n',
  'sdk/Testfile': 'lint: echo lint\nunit: echo unit\n',
  'sdk/go/Testfile': 'unit: go test\n',
  'sdk/go/account.go': '1',
  'web/Testfile': 'unit: npm test\n',
  'web/src/deep/er/index.js': '1',
  'docs/intro.md': '1',
}

test('a file concerns the Testfiles of its directory and of all its parents', async t => {
  const repo = new Monorepo(t, TREE)
  repo.commit({ 'sdk/go/account.go': '2' })
  t.same(await repo.labels(repo.parent()), ['sdk/go unit', 'sdk lint', 'sdk unit', 'all'])
  repo.commit({ 'web/src/deep/er/index.js': '2' })
  t.same(await repo.labels(repo.parent()), ['web unit', 'all'])
  repo.commit({ 'docs/intro.md': '2' })
  t.same(await repo.labels(repo.parent()), ['all'])
})

test('without a base, or with one that is gone, all Testfiles are concerned', async t => {
  const repo = new Monorepo(t, TREE)
  const all = ['sdk/go unit', 'sdk lint', 'sdk unit', 'web unit', 'all']
  t.same(await repo.labels(), all)
  repo.commit({ 'docs/intro.md': '2' })
  t.same(await repo.labels(`BASE=${'d'.repeat(40)}\n`), all)
})

test('a root commit that is compared with its first parent concerns all', async t => {
  const repo = new Monorepo(t, TREE)
  t.same(await repo.labels('BASE=HEAD^\n'), ['sdk/go unit', 'sdk lint', 'sdk unit', 'web unit', 'all'])
})

test('both ends of a rename, what was deleted, a mode and a submodule concern their directories', async t => {
  const repo = new Monorepo(t, TREE)
  mkdirSync(join(repo.code, 'web/sub'))
  renameSync(join(repo.code, 'sdk/go/account.go'), join(repo.code, 'web/sub/account.go'))
  repo.commit({})
  t.same(await repo.labels(repo.parent()), ['sdk/go unit', 'sdk lint', 'sdk unit', 'web unit', 'all'])
  rmSync(join(repo.code, 'web/sub/account.go'))
  repo.commit({})
  t.same(await repo.labels(repo.parent()), ['web unit', 'all'])
  repo.git(repo.code, 'update-index', '--chmod=-x', 'web/src/deep/er/index.js')
  repo.git(repo.code, 'commit', '-q', '-m', 'mode')
  t.same(await repo.labels(repo.parent()), ['web unit', 'all'])
  repo.git(repo.code, 'update-index', '--add', '--cacheinfo', `160000,${'1'.repeat(40)},sdk/go/vendor`)
  repo.git(repo.code, 'commit', '-q', '-m', 'submodule')
  t.same(await repo.labels(repo.parent()), ['sdk/go unit', 'sdk lint', 'sdk unit', 'all'])
})

test('a change is compared with where it left its target, however far that has gone on', async t => {
  const repo = new Monorepo(t, TREE)
  repo.git(repo.code, 'checkout', '-q', '-b', 'topic')
  for (let i = 0; i < 3; i++) repo.commit({ 'web/src/x.js': String(i) })
  repo.commit({ 'docs/intro.md': 'x' })
  repo.git(repo.code, 'checkout', '-q', 'main')
  repo.commit({ 'sdk/go/account.go': '3' })
  const target = repo.git(repo.code, 'rev-parse', 'HEAD')
  repo.git(repo.code, 'checkout', '-q', 'topic')
  t.same(await repo.labels(`CHANGE=7\nBASE=${target}\n`, 'refs/pull/7/head'), ['web unit', 'all'])
})

test('a Testfile that is new at the head is used, one that is gone is not', async t => {
  const repo = new Monorepo(t, TREE)
  rmSync(join(repo.code, 'sdk/go/Testfile'))
  repo.commit({ 'new/Testfile': 'x: true\n' })
  t.same(await repo.labels(repo.parent()), ['new x', 'sdk lint', 'sdk unit', 'all'])
})

test('each line has a task for each architecture', async t => {
  const repo = new Monorepo(t, { Testfile: 'a: x\nb: y\n' })
  t.same(await repo.labels('', 'refs/heads/main', ['x86', 'arm:pi']), ['a', 'a', 'b', 'b'])
  t.same(
    repo.published().map(name => name.split(':').slice(3).join(':')),
    ['x86', 'arm:pi', 'x86', 'arm:pi'],
  )
  t.same(repo.leftovers(), [])
})

test('what cannot be read is one check of its own that says why', async t => {
  const repo = new Monorepo(t, { ...TREE, 'web/Testfile': 'no colon\n', 'sdk/Testfile': 'x'.repeat(70_000) })
  rmSync(join(repo.code, 'sdk/go/Testfile'))
  symlinkSync('/etc/passwd', join(repo.code, 'sdk/go/Testfile'))
  repo.commit({ 'web/x': '' })
  t.same(await repo.labels('', 'refs/heads/main', ['x86', 'arm']), [
    'sdk/go Testfile',
    'sdk Testfile',
    'web Testfile',
    'all',
    'all',
  ])
  const errors = repo.published().map(name => {
    return repo.ls('spool/tasks/cur', name).includes('error.txt') ? repo.read(name, 'error.txt') : ''
  })
  t.same(errors.slice(0, 3), [
    'sdk/go/Testfile: it is a link, not a file',
    'sdk/Testfile: it is larger than 65536 bytes',
    "web/Testfile:1: it is not 'NAME: COMMAND'",
  ])
})

test('a forge shows the checks of a spool under the names that a farm uses', async t => {
  const names = (repo: Monorepo) => {
    const naming = { project: 'hello', archs: TARGETS.length, shared: false }
    const views = repo.published().map(name => look(repo.spool, name)!.view)
    const context = (task: TaskView) => checkOf({ stage: 'waiting', task } as Notice, naming)!.context
    return views.map(context).sort()
  }
  const repo = new Monorepo(t, FILES)
  await repo.labels('', 'refs/heads/main', TARGETS)
  t.same(names(repo), NAMES)
  const nothing = new Monorepo(t, NOTHING.files)
  nothing.commit(NOTHING.change)
  await nothing.labels(nothing.parent(), 'refs/heads/main', TARGETS)
  t.same(names(nothing), NOTHING.names)
})

test('a head that concerns no Testfile has one check, which says so', async t => {
  const repo = new Monorepo(t, { 'sdk/Testfile': 'x: true\n' })
  repo.commit({ 'docs/x': '' })
  t.same(await repo.labels(repo.parent(), 'refs/heads/main', ['x86', 'arm']), ['Testfile'])
})

test('the steps of the code are one more task, and enough where no Testfile is concerned', async t => {
  const repo = new Monorepo(t, { ...TREE, '.bass/10': '#!/bin/sh\n' })
  repo.commit({ 'web/x': '' })
  t.same(await repo.labels(repo.parent()), ['-', 'web unit', 'all'])
  rmSync(join(repo.code, 'Testfile'))
  repo.commit({})
  repo.commit({ 'docs/intro.md': '3' })
  t.same(await repo.labels(repo.parent()), ['-'])
})

test('code with neither steps nor Testfiles has a task whose job will say so', async t => {
  const repo = new Monorepo(t, { file: '1' })
  t.same(await repo.labels(), ['-'])
})

test('directories may be called anything', async t => {
  const repo = new Monorepo(t, { 'a b/-x\n$(id)/ü/Testfile': 'x: true\n', ':(glob)*/Testfile': 'y: true\n' })
  repo.commit({ 'a b/-x\n$(id)/ü/file': '1', ':(glob)*/file': '1' })
  t.same(await repo.labels(repo.parent()), ['a b/-x\\x0a$(id)/ü x', ':(glob)* y'])
})

test('of more lines than one commit may have, the first are run, and a check says so', async t => {
  const lines = (n: number) => Array.from({ length: n }, (_, i) => `l${i}: true\n`).join('')
  const repo = new Monorepo(t, { 'a/Testfile': lines(600), 'b/Testfile': lines(600) })
  const checks = await repo.checks({})
  t.equal(checks.length, 1001)
  t.match(checks.at(-1), { name: 'Testfile', error: /1200 lines .* only the first 1000/ })
})

test('3,100 changed files in as many directories are all looked at', async t => {
  const repo = new Monorepo(t, { 'd3099/Testfile': 'last: true\n', 'd0/Testfile': 'first: true\n' })
  const files = Array.from({ length: 3100 }, (_, i) => `M 644 inline d${i}/file\ndata 1\nx\n`).join('')
  const author = 'committer Ada <ada@example.org> 1700000000 +0000\ndata 1\nx\n'
  const input = `commit refs/heads/main\n${author}from refs/heads/main^0\n${files}`
  repo.ok('git', ['fast-import', '--quiet'], { cwd: 'code', input })
  const checks = await repo.checks({ BASE: 'HEAD^' })
  t.same(
    checks.map(({ name }) => name),
    ['d0 first', 'd3099 last'],
  )
})
