import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { test } from 'tap'

import { Repository } from '../../../lib/git/repository.ts'
import { findChecks } from '../../../master/make/testfiles.ts'
import { makeRepository } from '../../fixtures/repository.ts'
import { Sandbox } from '../../fixtures/sandbox.ts'

test('the checks of a commit, also of Testfiles that are no files, and of what some files concern', async t => {
  const box = new Sandbox(t)
  const { path, commits } = makeRepository(box, 'nothing')
  const put = (directory: string, text: string) => {
    mkdirSync(join(path, directory), { recursive: true })
    writeFileSync(join(path, directory, 'Testfile'), text)
  }
  put('good', 'one: true\n')
  put('good/deep', 'two: true\n')
  put('bad', 'no colon\n')
  put('large', '#'.repeat(70_000))
  put('two\nlines', '?')
  mkdirSync(join(path, 'link'))
  symlinkSync('../good/Testfile', join(path, 'link/Testfile'))
  box.git(path, 'add', '.')
  box.git(path, 'update-index', '--add', '--cacheinfo', `160000,${commits[0]!},sub/Testfile`)
  box.git(path, 'commit', '-q', '-m', 'all kinds')
  const head = box.git(path, 'rev-parse', 'HEAD')

  const repository = new Repository(path)
  t.teardown(() => repository.close())
  const all = await findChecks(repository, head, undefined)
  t.match(all, [
    { name: 'good/deep two', directory: 'good/deep', command: 'true' },
    { name: 'bad Testfile', error: /^bad\/Testfile:1: / },
    { name: 'good one', directory: 'good', command: 'true' },
    { name: 'large Testfile', error: 'large/Testfile: it is larger than 65536 bytes' },
    { name: 'link Testfile', error: 'link/Testfile: it is a link, not a file' },
    { name: 'sub Testfile', error: 'sub/Testfile: it is a submodule, not a file' },
    { name: 'two\\x0alines Testfile', error: /^two\\x0alines\/Testfile:1: / },
  ])
  t.equal(all.length, 7)
  const names = async (...files: string[]) =>
    (await findChecks(repository, head, files)).map(({ name }) => name)
  t.same(await names('good/deep/gone/file', 'nowhere/file'), ['good/deep two', 'good one'])
  t.same(await names('file'), [])
})
