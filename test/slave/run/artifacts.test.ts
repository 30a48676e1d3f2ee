import {
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { keepArtifacts } from '../../../slave/run/artifacts.ts'
import type { ArtifactLimits } from '../../../slave/run/artifacts.ts'
import { persistJob } from '../../../slave/run/job-writer.ts'
import { Sandbox } from '../../fixtures/sandbox.ts'
import { lacksTinyDisk, TinyDisk } from '../../fixtures/tiny-disk.ts'

const NONE = { bytes: Infinity, count: Infinity, free: 0 }
const GOING = new AbortController().signal

function make(t: ConstructorParameters<typeof Sandbox>[0]) {
  const box = new Sandbox(t)
  mkdirSync(box.path('from'))
  mkdirSync(box.path('job'))
  const [from, to] = [box.path('from'), box.path('job/artifacts')]
  const keep = (limits: Partial<ArtifactLimits> = {}) =>
    keepArtifacts(from, to, { ...NONE, ...limits }, GOING)
  return { box, from, to, keep }
}

test('a hole stays a hole, and what is beside it is kept', async t => {
  const { from, to, keep } = make(t)
  writeFileSync(join(from, 'sparse'), 'begin')
  truncateSync(join(from, 'sparse'), 64 << 20)
  writeFileSync(join(from, 'sparse'), 'end', { flag: 'a' })
  truncateSync(join(from, 'sparse'), 65 << 20)
  t.same(await keep(), [])
  const { size, blocks } = statSync(join(to, 'sparse'))
  t.equal(size, 65 << 20)
  t.ok(blocks * 512 < 4 << 20, `${blocks} blocks`)
  t.ok(readFileSync(join(to, 'sparse')).equals(readFileSync(join(from, 'sparse'))))
})

test('a hole costs no time, however large it is', { timeout: 20_000 }, async t => {
  const { from, to, keep } = make(t)
  writeFileSync(join(from, 'core'), 'begin')
  truncateSync(join(from, 'core'), 2 ** 42)
  t.same(await keep(), [])
  t.match(statSync(join(to, 'core')), { size: 2 ** 42, blocks: statSync(join(from, 'core')).blocks })
})

test('what is too large or too many is left out and named, and the rest is kept', async t => {
  const { from, to, keep } = make(t)
  writeFileSync(join(from, 'a'), 'x'.repeat(100))
  writeFileSync(join(from, 'b'), 'x'.repeat(100))
  truncateSync(join(from, 'b'), 2 ** 40)
  writeFileSync(join(from, 'c'), 'x'.repeat(100))
  for (const name of ['d', 'e', 'f']) writeFileSync(join(from, name), '')
  t.same(await keep({ bytes: 250, count: 4 }), [
    "the artifact 'b' was left out: it has 1.0 TiB, and ARTIFACTS_MAX leaves 150 B",
    "the artifact 'e' was left out: ARTIFACTS_COUNT allows 4",
    "the artifact 'f' was left out: ARTIFACTS_COUNT allows 4",
  ])
  t.same(readdirSync(to).sort(), ['a', 'c', 'd'])
})

test('of more than may be held in memory the first are kept, and the others counted', async t => {
  const { from, to, keep } = make(t)
  for (let i = 0; i < 1500; i++) mkdirSync(join(from, `d${(i * 7) % 1500}`.padStart(5, '0')))
  const notes = await keep({ count: 3 })
  t.same(readdirSync(to).sort(), ['000d0', '000d1', '000d2'])
  t.equal(notes.at(-1), '1477 more artifacts were left out')
})

test('of many that are left out some are named, and the others counted', async t => {
  const { from, to, keep } = make(t)
  for (let i = 0; i < 50; i++) writeFileSync(join(from, `${i}`), 'x')
  const notes = await keep({ bytes: 0 })
  t.same([notes.length, notes.at(-1)], [21, '30 more artifacts were left out'])
  t.same(readdirSync(to), [])
})

test('the room that others need in the spool is never taken', { skip: lacksTinyDisk() }, async t => {
  const { box, from, to, keep } = make(t)
  await TinyDisk.instead(box, box.path('job'), 8)
  writeFileSync(join(from, 'a'), Buffer.alloc(1 << 20, 1))
  writeFileSync(join(from, 'b'), Buffer.alloc(6 << 20, 1))
  writeFileSync(join(from, 'c'), Buffer.alloc(1 << 20, 1))
  t.same(await keep({ free: 4 << 20 }), ["the artifact 'b' was left out: the spool has no room for 6.0 MiB"])
  t.same(readdirSync(to).sort(), ['a', 'c'])
  // Even where nothing is kept free, what does not fit is gone again.
  writeFileSync(join(from, 'd'), Buffer.alloc(12 << 20, 1))
  t.equal((await keepArtifacts(from, join(to, 'again'), { ...NONE, free: -1e12 }, GOING)).length, 2)
  t.same(readdirSync(join(to, 'again')).sort(), ['a', 'c'])
})

test('names are bytes', async t => {
  const { from, to, keep, box } = make(t)
  const name = Buffer.from('f\xff\xe9', 'latin1')
  mkdirSync(Buffer.concat([Buffer.from(`${from}/`), name]))
  writeFileSync(Buffer.concat([Buffer.from(`${from}/`), name, Buffer.from('/'), name]), 'content')
  t.same(await keep(), [])
  t.same(readdirSync(Buffer.concat([Buffer.from(`${to}/`), name]), 'buffer'), [name])
  await t.resolves(persistJob(box.path('job')))
})

test('a directory that is exchanged for a link while it is copied is not followed', async t => {
  const { box, from, to, keep } = make(t)
  mkdirSync(join(from, 'd'))
  mkdirSync(box.path('secret'))
  for (let i = 0; i < 500; i++) writeFileSync(join(from, 'd', `${i}`), '')
  for (let i = 0; i < 500; i++) writeFileSync(box.path('secret', `${i}`), 'secret')
  const kept = keep()
  // As soon as the first of them is copied.
  while (!existsSync(join(to, 'd')) || readdirSync(join(to, 'd')).length === 0) {
    await new Promise(done => setTimeout(done, 1))
  }
  renameSync(join(from, 'd'), join(from, 'd2'))
  symlinkSync(box.path('secret'), join(from, 'd'))
  await kept
  const copied = readdirSync(join(to, 'd'))
  t.ok(copied.length > 0)
  t.same(
    copied.filter(name => readFileSync(join(to, 'd', name), 'utf8') !== ''),
    [],
  )
})

test('links stay inside, and what is neither file nor directory is left out', async t => {
  const { box, from, to, keep } = make(t)
  mkdirSync(join(from, 'd/e'), { recursive: true })
  symlinkSync('../d/e', join(from, 'd', 'inside'))
  symlinkSync('../../from', join(from, 'd', 'outside'))
  symlinkSync('/etc/passwd', join(from, 'absolute'))
  box.ok('mkfifo', ['from/fifo'])
  const notes = await keep()
  t.same(notes.map(note => /'(.*?)'.*: (.*)/.exec(note)!.slice(1)).sort(), [
    ['absolute', 'it is a link that leads outside'],
    ['d/outside', 'it is a link that leads outside'],
    ['fifo', 'it is neither a file nor a directory'],
  ])
  t.equal(readlinkSync(join(to, 'd/inside')), '../d/e')
  t.throws(() => lstatSync(join(to, 'd/outside')), { code: 'ENOENT' })
})

const notRoot = process.getuid?.() !== 0 && 'needs root'
test("of a step that runs as another user only what is that user's is kept", { skip: notRoot }, async t => {
  const { from, to, keep } = make(t)
  for (const path of ['', 'own', 'other']) {
    if (path !== '') writeFileSync(join(from, path), path)
    if (path !== 'other') chownSync(join(from, path), 65_534, 65_534)
  }
  t.same(await keep({ uid: 65_534 }), ["the artifact 'other' was left out: it belongs to another user"])
  t.same(readdirSync(to), ['own'])
})

test('a job that is to end early waits for no artifact', { timeout: 20_000 }, async t => {
  const { box, from, to } = make(t)
  box.ok('fallocate', ['-l', '1G', 'from/large'])
  const stop = new AbortController()
  const keeping = keepArtifacts(from, to, NONE, stop.signal)
  while (!existsSync(join(to, 'large'))) await new Promise(setImmediate)
  stop.abort('cancelled')
  await keeping
  t.ok(statSync(join(to, 'large')).size < 1 << 30)
})
