import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { listNow } from '../../../lib/system/polled.ts'
import {
  askingAgain,
  entriesIfThere,
  listAllIfThere,
  listIfThere,
  mustList,
  mustListAll,
} from '../../../lib/system/listing.ts'
import { ROOT, Sandbox } from '../../fixtures/sandbox.ts'

test('a listing leaves out what begins with a dot, unless it is asked for', async t => {
  const box = new Sandbox(t)
  mkdirSync(box.path('d'))
  for (const name of ['.hidden', 'shown', 'a.b', '.dead-1']) writeFileSync(box.path('d', name), '')
  for (const listing of [mustList, listIfThere, listNow])
    t.strictSame(listing(box.path('d')).sort(), ['a.b', 'shown'])
  for (const listing of [mustListAll, listAllIfThere])
    t.strictSame(listing(box.path('d')).sort(), ['.dead-1', '.hidden', 'a.b', 'shown'])
  t.strictSame(
    entriesIfThere(box.path('d'))
      .map(entry => entry.name)
      .sort(),
    ['a.b', 'shown'],
  )
})

test('what may be missing lists nothing where it is, and what must be there is an error', async t => {
  const box = new Sandbox(t)
  writeFileSync(box.path('file'), '')
  for (const path of [box.path('gone'), box.path('gone/below')]) {
    for (const listing of [listIfThere, listAllIfThere, entriesIfThere]) t.strictSame(listing(path), [])
    for (const listing of [mustList, mustListAll, listNow]) t.throws(() => listing(path), { code: 'ENOENT' })
  }
  t.strictSame(listIfThere(box.path('file')), [])
  t.throws(() => mustList(box.path('file')), { code: 'ENOTDIR' })
})

test('no other error is taken for a listing without names', async t => {
  const box = new Sandbox(t)
  mkdirSync(box.path('d'))
  const listings = [mustList, listIfThere, entriesIfThere]
  for (const listing of listings)
    t.throws(() => listing(box.path('d', 'x'.repeat(256))), { code: 'ENAMETOOLONG' })
  // A process that has as many open files as it may.
  const script = `
    const fs = require('node:fs')
    const listing = require(${JSON.stringify(join(ROOT, 'dist/lib/system/listing.js'))})
    try { for (;;) fs.openSync('/dev/null') } catch {}
    for (const { name } of [${listings.map(({ name }) => `{ name: '${name}' }`).join()}]) {
      try { listing[name]('/'); fs.writeSync(1, 'nothing ') } catch ({ code }) { fs.writeSync(1, code + ' ') }
    }`
  const limited = ['-c', 'ulimit -n 100 && exec node -e "$1"', 'sh', script]
  t.equal(execFileSync('sh', limited, { encoding: 'utf8' }).trim(), 'EMFILE EMFILE EMFILE')
})

test('a stale handle is no answer: it is asked again, but not for ever', async t => {
  const stale = () => Object.assign(new Error('stale'), { errno: -116 })
  let asked = 0
  const look = (failures: number) => () => {
    if (asked++ < failures) throw stale()
    return 'there'
  }
  t.equal(askingAgain(look(2)), 'there')
  asked = 0
  t.throws(() => askingAgain(look(Infinity)), /stale/)
  t.equal(asked, 3)
})
