import fc from 'fast-check'
import { test } from 'tap'

import { ByteReader } from '../../../lib/bundle/byte-reader.ts'
import { TarReader } from '../../../lib/bundle/tar.ts'
import { headerOf } from '../../../lib/bundle/tar-writer.ts'
import type { NewEntry } from '../../../lib/bundle/tar-writer.ts'
import { output } from '../../fixtures/odd-tree.ts'

/** What a reader makes of a header. */
async function read(entry: NewEntry) {
  async function* chunks() {
    yield headerOf(entry)
    await Promise.resolve()
  }
  return new TarReader(new ByteReader(chunks(), Infinity)).next()
}

const name = fc
  .array(fc.uint8Array({ minLength: 1, maxLength: 255 }), { minLength: 1, maxLength: 8 })
  .map(parts => parts.map(part => Buffer.from(part).toString('latin1').replace(/[/\0]/g, '_')).join('/'))

test('whatever an entry is called and however large it is, a reader is told so', async t => {
  const size = fc.oneof(fc.nat(1000), fc.constantFrom(8 ** 11 - 1, 8 ** 11, 2 ** 40, 2 ** 49))
  const time = fc.oneof(fc.nat(), fc.constantFrom(0, 8 ** 11 - 1, 8 ** 11, 999_999_999_999_999))
  await fc.assert(
    fc.asyncProperty(name, name, size, time, async (name, target, size, time) => {
      const file = await read({ kind: 'file', name, mode: 0o755, size, time })
      const link = await read({ kind: 'symlink', name, mode: 0o777, target, time })
      const directory = await read({ kind: 'directory', name, mode: 0o755, time })
      return (
        file?.name === name &&
        file.size === size &&
        file.mode === 0o755 &&
        file.kind === 'file' &&
        link?.target === target &&
        link.name === name &&
        link.kind === 'symlink' &&
        directory?.kind === 'directory' &&
        directory.name === `${name}/`
      )
    }),
  )
  t.pass()
})

test('tar reads what does not fit into the fields of ustar', async t => {
  const long = 'd'.repeat(200)
  const entries: NewEntry[] = [
    { kind: 'directory', name: `${'p'.repeat(150)}/${'n'.repeat(99)}`, mode: 0o755, time: 0 },
    { kind: 'directory', name: 'x'.repeat(100), mode: 0o755, time: 0 },
    { kind: 'file', name: `${'p'.repeat(155)}/${'n'.repeat(100)}`, mode: 0o644, time: 0 },
    { kind: 'symlink', name: `${long}/${long}/${long}`, target: `../${long}`, mode: 0o777, time: 8 ** 11 },
  ]
  const archive = Buffer.concat([...entries.map(headerOf), Buffer.alloc(1024)])
  const listed = output('tar', ['-tf', '-'], { input: archive }).toString()
  t.equal(listed, entries.map(({ kind, name }) => name + (kind === 'directory' ? '/' : '') + '\n').join(''))
  t.match(output('tar', ['-tvf', '-'], { input: archive }).toString(), `-> ../${long}`)
  const huge = headerOf({ kind: 'file', name: 'huge', mode: 0o644, size: 8 ** 11 + 5, time: 0 })
  t.match(
    output('sh', ['-c', 'tar -tvf - 2>/dev/null || :'], { input: huge }).toString(),
    String(8 ** 11 + 5),
  )
})
