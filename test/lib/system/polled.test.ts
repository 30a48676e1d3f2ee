import { chmodSync, mkdirSync, readdirSync, statSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { remove } from '../../../lib/system/remove.ts'
import { noteChange, refresh } from '../../../lib/system/polled.ts'
import { eventually, lacks, ROOT, Sandbox } from '../../fixtures/sandbox.ts'

const POLLED = join(ROOT, 'dist/lib/system/polled.js')

const isRoot = process.getuid?.() === 0

test('refreshing a directory sets its times, and is no error where it is gone', async t => {
  const box = new Sandbox(t)
  mkdirSync(box.path('d'))
  utimesSync(box.path('d'), 1, 1)
  refresh(box.path('d'))
  t.ok(statSync(box.path('d')).mtimeMs > 1000)
  refresh(box.path('gone'))
})

test(
  'a member of the group refreshes a directory that is not its own, and leaves nothing in it',
  { skip: isRoot ? lacks('setpriv') : 'needs root' },
  async t => {
    const box = new Sandbox(t)
    mkdirSync(box.path('d'))
    chmodSync(box.path('d'), 0o777)
    chmodSync(box.dir, 0o755)
    utimesSync(box.path('d'), 1, 1)
    const other = ['--reuid=65534', '--regid=65534', '--clear-groups']
    const code = `require(process.argv[1]).refresh(process.argv[2])`
    box.ok('setpriv', [...other, process.execPath, '-e', code, POLLED, box.path('d')])
    t.ok(statSync(box.path('d')).mtimeMs > 1000)
    t.strictSame(readdirSync(box.path('d')), [])
    chmodSync(box.path('d'), 0o755)
    t.throws(
      () => box.ok('setpriv', [...other, process.execPath, '-e', code, POLLED, box.path('d')]),
      /EACCES/,
    )
  },
)

test('a noted change sets the times of its directory a little later, once', async t => {
  const box = new Sandbox(t)
  mkdirSync(box.path('d'))
  noteChange(box.path('d'))
  noteChange(box.path('d'))
  utimesSync(box.path('d'), 1, 1)
  await eventually('its times are set', () => statSync(box.path('d')).mtimeMs > 1000)
  mkdirSync(box.path('gone'))
  noteChange(box.path('gone'))
  remove(box.path('gone'))
  noteChange(box.path('d'))
  utimesSync(box.path('d'), 1, 1)
  await eventually('they are set again', () => statSync(box.path('d')).mtimeMs > 1000)
})
