// What comes back goes where it belongs: archives by tar itself, good and hostile.

import { createHash } from 'node:crypto'
import fs, { existsSync, linkSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { test } from 'tap'
import type { Test } from 'tap'

import { writeS2 } from '../../../lib/bundle/s2.ts'
import { bringBack } from '../../../lib/exec/bring-back.ts'
import { Sandbox } from '../../fixtures/sandbox.ts'

async function* from(bytes: Buffer): AsyncGenerator<Buffer, void> {
  yield await Promise.resolve(bytes)
}

/** A directory with two names of one file, an empty `out`, and what brings a tar of that directory back. */
/** Most bytes of what is brought: 1 MiB. */
const maxBytes = 1 << 20

function start(t: Test) {
  const sandbox = new Sandbox(t)
  for (const name of ['code', 'out']) mkdirSync(sandbox.path(name))
  writeFileSync(sandbox.path('code/a'), 'content\n')
  linkSync(sandbox.path('code/a'), sandbox.path('code/b'))
  writeFileSync(sandbox.path('secret'), 'secret\n')
  const bring = async (...options: string[]) => {
    sandbox.ok('tar', ['-Pcf', 'a.tar', ...options, '-C', 'code', 'a', 'b'])
    const parts: Buffer[] = []
    for await (const part of writeS2(from(readFileSync(sandbox.path('a.tar'))))) parts.push(part)
    const archive = Buffer.concat(parts)
    const result = {
      exitCode: 0,
      signal: '',
      timedOut: false,
      error: '',
      archive: 'x',
      files: 2,
      deleted: [],
      archiveBytes: archive.length,
      archiveSha256: createHash('sha256').update(archive).digest(),
    }
    await bringBack({ fetch: () => from(archive) }, result as never, sandbox.path('out'), 'named', {
      maxBytes,
    })
  }
  return { sandbox, bring }
}

test('a hard link that leads outside is left out, and all else comes', async t => {
  const { sandbox, bring } = start(t)
  await bring('--transform', 's,^a$,../../secret,hRS')
  t.same(sandbox.ls('out'), ['a'])
  await bring()
  t.equal(readFileSync(sandbox.path('out/b'), 'utf8'), 'content\n')
})

test('an archive that leads outside, or is larger than BUNDLE_MAX, leaves nothing', async t => {
  const { sandbox, bring } = start(t)
  await t.rejects(bring('--transform', 's,^a$,../../evil,r'), { exitCode: 100, message: /leads outside/ })
  t.notOk(existsSync(sandbox.path('evil')))
  writeFileSync(sandbox.path('code/a'), Buffer.alloc(2 << 20))
  await t.rejects(bring(), { exitCode: 100, message: /more than the 1048576 bytes that BUNDLE_MAX allows/ })
  t.same(sandbox.ls('out'), [])
})

test('what was deleted is named by the directory, and deleted in directories alone', async t => {
  const { sandbox } = start(t)
  const at = (name: string) => sandbox.path('out', name)
  mkdirSync(at('d/e'), { recursive: true })
  for (const name of ['d/e/1', 'd/e/2', 'd/3', 'f', 'kept']) writeFileSync(at(name), '')
  mkdirSync(sandbox.path('elsewhere'))
  writeFileSync(sandbox.path('elsewhere/x'), '')
  symlinkSync('../elsewhere', at('link'))
  const names = ['d', 'd/e', 'd/e/1', 'd/e/2', 'd/3', 'f']
  const odd = [
    '',
    '.',
    '..',
    '../elsewhere/x',
    '/etc/hostname',
    'link/x',
    'a\0b',
    'x'.repeat(300),
    'kept/',
    'd//3',
  ]
  const bring = (deleted: string[], how: 'named' | 'deleted') => {
    const result = { archive: '', deleted: deleted.map(name => Buffer.from(name, 'latin1')) }
    return bringBack({ fetch: () => from(Buffer.alloc(0)) }, result as never, sandbox.path('out'), how, {
      maxBytes,
    })
  }
  const said: string[] = []
  const { writeSync } = fs
  t.teardown(() => void (fs.writeSync = writeSync))
  fs.writeSync = ((_: number, text: string) => said.push(text)) as never
  await bring(names, 'named')
  t.same(said.splice(0), ["bass: info: it deleted 'd' and the 4 in it\n", "bass: info: it deleted 'f'\n"])
  await bring(
    Array.from({ length: 25 }, (_, i) => `n${i}`),
    'named',
  )
  t.equal(said.length, 21)
  t.equal(said.pop(), 'bass: info: it deleted 5 more\n')
  await bring([...names, ...odd], 'deleted')
  t.same(sandbox.ls('out'), ['kept', 'link'])
  t.ok(existsSync(sandbox.path('elsewhere/x')))
})
