import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { remove } from '../../../lib/system/remove.ts'
import { Sandbox } from '../../fixtures/sandbox.ts'

/** A directory that is empty. */
function emptyIn(box: Sandbox): (name: string) => string {
  mkdirSync(box.path('d'))
  return name => join(box.path('d'), name)
}

test('files, trees and what is not there', async t => {
  const box = new Sandbox(t)
  const path = emptyIn(box)
  mkdirSync(path('tree/of/some'), { recursive: true })
  writeFileSync(path('tree/of/file'), 'x')
  writeFileSync(path('file'), 'x')
  for (const name of ['tree', 'file', 'missing', 'file/below']) remove(path(name))
  t.strictSame(readdirSync(path('.')), [])
})

test('a link is removed, and not what it leads to', async t => {
  const box = new Sandbox(t)
  const path = emptyIn(box)
  for (const name of ['other', 'tree']) mkdirSync(path(name))
  writeFileSync(path('other/file'), 'x')
  symlinkSync(path('other'), path('tree/link'))
  symlinkSync(path('other'), path('link'))
  remove(path('tree'))
  remove(path('link'))
  t.strictSame(readdirSync(path('.')), ['other'])
  t.ok(existsSync(path('other/file')))
})

test('names that are not UTF-8', async t => {
  const box = new Sandbox(t)
  const path = emptyIn(box)
  box.ok('sh', ['-c', `cd d && mkdir -p "$(printf 'tree/a\\351/b')" && : >"$(printf 'tree/a\\351/b/\\377')"`])
  t.equal(readdirSync(path('tree'), { encoding: 'buffer' })[0]!.toString('latin1'), 'a\u00e9')
  remove(path('tree'))
  t.strictSame(readdirSync(path('.')), [])
})

test('directories deeper than a path can be long', async t => {
  const box = new Sandbox(t)
  const path = emptyIn(box)
  box.ok('perl', [
    '-e',
    'chdir "d"; mkdir "tree"; chdir "tree"; for (1 .. 1100) { mkdir "abc"; chdir "abc" or die }',
  ])
  remove(path('tree'))
  t.strictSame(readdirSync(path('.')), [])
})
