// What a farm and a spool make of the Testfiles of one commit.

import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { test } from 'tap'

import { Repository } from '../../../lib/git/repository.ts'
import { checksOf } from '../../../lib/testfile/choose.ts'
import type { Check } from '../../../lib/testfile/choose.ts'
import { FarmMirror } from '../../../master/farm/mirror.ts'
import { findChecks } from '../../../master/make/checks.ts'
import { makeRepository } from '../../fixtures/repository.ts'
import { Sandbox } from '../../fixtures/sandbox.ts'

const byName = (checks: readonly Check[]) => [...checks].sort((a, b) => (a.name < b.name ? -1 : 1))

test('a farm and a spool find the same checks, also of Testfiles that are no files', async t => {
  const box = new Sandbox(t)
  const { path, commits } = makeRepository(box, 'nothing')
  const put = (directory: string, text: string) => {
    mkdirSync(join(path, directory), { recursive: true })
    writeFileSync(join(path, directory, 'Testfile'), text)
  }
  put('good', 'one: true\n')
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
  const spool = await findChecks(repository, head, {})
  const mirror = new FarmMirror(join(path, '.git'), path)
  const { files, bad } = await mirror.testfiles(await mirror.changedFiles(undefined, head), head)

  t.same(byName([...checksOf(files), ...bad]), byName(spool))
  t.match(byName(bad), [
    { name: 'large Testfile', error: 'large/Testfile: it is larger than 65536 bytes' },
    { name: 'link Testfile', error: 'link/Testfile: it is a link, not a file' },
    { name: 'sub Testfile', error: 'sub/Testfile: it is a submodule, not a file' },
  ])
})
