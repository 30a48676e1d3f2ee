import { lstatSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { cloneTree, cloneWithNumbers } from '../../../lib/spool/fan-out.ts'
import { Sandbox } from '../../fixtures/sandbox.ts'

test('a clone has the same files, directories below too, and shares every one', async t => {
  const sandbox = new Sandbox(t)
  const [from, to] = [sandbox.path('from'), sandbox.path('to')]
  mkdirSync(join(from, 'sub'), { recursive: true })
  for (const name of ['a', 'sub/b', '.private', 'claim']) writeFileSync(join(from, name), name)
  symlinkSync('a', join(from, 'link'))
  cloneTree(from, to, ['claim'])
  t.same(sandbox.ls('to'), ['a', 'sub'], 'but for what is private, excluded or no file')
  for (const name of ['a', 'sub/b']) t.equal(lstatSync(join(from, name)).ino, lstatSync(join(to, name)).ino)
})

test('numbered clones are named in the order they were asked for', async t => {
  const sandbox = new Sandbox(t)
  const { ctr, tasks } = sandbox.makeSpool()
  mkdirSync(sandbox.path('from'))
  writeFileSync(sandbox.path('from/a'), 'text')
  const names = cloneWithNumbers(ctr, sandbox.path('from'), tasks.tmp, [':p:v:a', ':p:v:b:h'])
  t.same(names, ['1:p:v:a', '2:p:v:b:h'])
  t.same(sandbox.ls('spool/tasks/tmp'), names)
  t.equal(readFileSync(join(tasks.tmp, names[1]!, 'a'), 'utf8'), 'text')
})

test('where a name is taken by a directory that holds something, no clone appears and that one stays', async t => {
  const sandbox = new Sandbox(t)
  const { ctr, tasks } = sandbox.makeSpool()
  mkdirSync(sandbox.path('from'))
  mkdirSync(join(tasks.tmp, '2:p:v:b', 'precious'), { recursive: true })
  t.throws(() => cloneWithNumbers(ctr, sandbox.path('from'), tasks.tmp, [':p:v:a', ':p:v:b']))
  t.same(sandbox.ls('spool/tasks/tmp'), ['2:p:v:b'])
  t.same(sandbox.ls('spool/tasks/tmp/2:p:v:b'), ['precious'])
})
