// What two listings say was changed, on a real file system.

import {
  chmodSync,
  lstatSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { test } from 'tap'

import { changesOf, listBefore, listTree } from '../../../lib/exec/listing.ts'
import { Sandbox } from '../../fixtures/sandbox.ts'

test('every kind of change is told, also one that hides behind its time', async t => {
  const sandbox = new Sandbox(t)
  const at = (name: string) => sandbox.path('tree', name)
  mkdirSync(at('d'), { recursive: true })
  for (const name of ['same', 'size', 'content', 'hidden', 'mode', 'old', 'gone', 'd/inside'])
    writeFileSync(at(name), 'text')
  writeFileSync(Buffer.from(at('odd-\xff'), 'latin1'), 'text')
  const before = await listBefore(sandbox.path('tree'))

  writeFileSync(at('size'), 'longer text')
  writeFileSync(at('content'), 'next')
  const { atime, mtime } = lstatSync(at('hidden'))
  writeFileSync(at('hidden'), 'next')
  utimesSync(at('hidden'), atime, mtime)
  chmodSync(at('mode'), 0o700)
  renameSync(at('old'), at('new'))
  rmSync(at('gone'))
  rmSync(at('d'), { recursive: true })
  mkdirSync(at('empty'))
  symlinkSync('nowhere', at('link'))
  writeFileSync(Buffer.from(at('odd-\xff'), 'latin1'), 'next')

  const changes = changesOf(sandbox.path('tree'), before, await listTree(sandbox.path('tree')))
  const told = Object.fromEntries(changes.map(({ name, what }) => [name, what]))
  t.same(told, {
    size: 'changed',
    content: 'changed',
    hidden: 'changed',
    mode: 'mode',
    new: 'new',
    old: 'deleted',
    gone: 'deleted',
    d: 'deleted',
    'd/inside': 'deleted',
    empty: 'new',
    link: 'new',
    'odd-\xff': 'changed',
  })
})

test('nothing was changed where nothing was, and a root that is not there is empty', async t => {
  const sandbox = new Sandbox(t)
  writeFileSync(sandbox.path('file'), '')
  t.same(changesOf(sandbox.dir, await listBefore(sandbox.dir), await listTree(sandbox.dir)), [])
  t.equal((await listTree(sandbox.path('none'))).size, 0)
})

test('a rewrite at once after the first listing is seen, again and again, whatever our clock says', async t => {
  const sandbox = new Sandbox(t)
  const { now } = Date
  t.teardown(() => (Date.now = now))
  for (let i = 0; i < 30; i++) {
    Date.now = () => now() + ((i % 3) - 1) * 3_600_000
    writeFileSync(sandbox.path('file'), 'one')
    const before = await listBefore(sandbox.dir)
    const { atime, mtime } = lstatSync(sandbox.path('file'))
    writeFileSync(sandbox.path('file'), 'two')
    utimesSync(sandbox.path('file'), atime, mtime)
    t.equal(changesOf(sandbox.dir, before, await listTree(sandbox.dir)).length, 1)
  }
})
