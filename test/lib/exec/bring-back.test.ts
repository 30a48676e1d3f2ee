// What comes back goes where it belongs: archives by tar itself, good and hostile.

import { createHash } from 'node:crypto'
import { spawn } from 'node:child_process'
import fs, {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import type { Test } from 'tap'

import { writeS2 } from '../../../lib/bundle/s2.ts'
import { bringBack } from '../../../lib/exec/bring-back.ts'
import { contentOf } from '../../../bin/parts/content.ts'
import { eventually, ROOT, Sandbox } from '../../fixtures/sandbox.ts'

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
  const bring = (...options: string[]) => bringNames(['a', 'b'], options)
  const bringNames = async (names: readonly string[], options: readonly string[] = []) => {
    sandbox.ok('tar', ['-Pcf', 'a.tar', '--no-recursion', ...options, '-C', 'code', ...names])
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
  return { sandbox, bring, bringNames }
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

test('the mode of a directory that is here comes, if it was changed there', async t => {
  const { sandbox, bringNames } = start(t)
  const at = (name: string) => sandbox.path(name)
  for (const name of ['code/d/e', 'code/implied', 'out/d/e', 'out/implied', 'code/new', 'code/shut'])
    mkdirSync(at(name), { recursive: true })
  writeFileSync(at('code/implied/x'), '')
  chmodSync(at('code/d'), 0o711)
  chmodSync(at('code/d/e'), 0o550)
  chmodSync(at('code/new'), 0o770)
  chmodSync(at('out/d'), 0o2700)
  chmodSync(at('out/implied'), 0o750)
  symlinkSync('../secret', at('out/shut'))
  await bringNames(['d', 'd/e', 'implied/x', 'new', 'shut'])
  const modes = ['d', 'd/e', 'implied', 'new'].map(name => statSync(at(`out/${name}`)).mode & 0o7777)
  t.same(modes, [0o2711, 0o750, 0o750, 0o770])
  t.ok(statSync(at('out/shut')).isDirectory(), 'in the place of a link')
})

test('what one that was killed left goes nowhere, and the next one removes it', async t => {
  const { sandbox, bring } = start(t)
  const script = `
    const { bringBack } = require('${ROOT}/dist/lib/exec/bring-back.js')
    const stop = async function* () { await new Promise(() => setTimeout(() => undefined, 100_000)) }
    bringBack({ fetch: stop }, { archive: 'x', deleted: [] }, process.argv[1], 'named', { maxBytes: 100 })`
  const child = spawn(process.execPath, ['-e', script, sandbox.path('out')], { stdio: 'inherit' })
  const left = () => sandbox.ls('out').find(name => sandbox.ls(join('out', name)).includes('content'))
  await eventually('it has begun', () => left() !== undefined)
  writeFileSync(sandbox.path('out', left()!, 'content/half'), '')
  writeFileSync(sandbox.path('out/kept'), '')
  // One that is at work is left alone.
  await bring()
  t.ok(left())
  const gone = new Promise(done => child.on('exit', done))
  child.kill('SIGKILL')
  await gone
  sandbox.git(sandbox.path('out'), 'init', '-q')
  for (const all of [true, false]) {
    const { items } = await contentOf(sandbox.path('out'), [], all)
    t.same(items.map(({ name }) => name).sort(), ['a', 'b', 'kept'])
  }
  await bring()
  t.same(sandbox.ls('out').sort(), ['.git', 'a', 'b', 'kept'])
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
