import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { test } from 'tap'

import { unzstd } from '../../../lib/bundle/zstd.ts'

const pack = (content: Buffer, ...args: string[]) =>
  execFileSync('zstd', ['-q', '-1', '-c', ...args], { input: content, maxBuffer: 1 << 28 })

const CONTENT = Buffer.from('one line of many\n'.repeat(20_000))

test('what zstd has packed comes out as it went in', async t => {
  const random = randomBytes(64 * 1024)
  // One block, which looks back as far as a block can be long; and one byte more.
  const [whole, more] = [Buffer.concat([random, random]), Buffer.concat([random, random, Buffer.from('x')])]
  for (const content of [Buffer.from(''), Buffer.from('x'), CONTENT, whole, more]) {
    t.ok((await unzstd(pack(content)))?.equals(content), `${content.length} bytes`)
    t.ok((await unzstd(pack(content, `--stream-size=${content.length}`)))?.equals(content), 'of known size')
  }
})

test('what is large, odd or damaged is left to the program', async t => {
  const packed = pack(CONTENT)
  const cases: Record<string, Buffer> = {
    'no checksum': pack(CONTENT, '--no-check'),
    'two frames': Buffer.concat([packed, packed]),
    'more than the memory it may take': pack(Buffer.alloc(17 * 1024 * 1024)),
    'a window larger than that': pack(Buffer.alloc(1), '--ultra', '--long=27'),
    'cut off': packed.subarray(0, -9),
    nothing: Buffer.alloc(0),
    'another format': Buffer.from('this was never packed by anything'),
  }
  for (const [what, file] of Object.entries(cases)) t.equal(await unzstd(file), undefined, what)
})

test('a frame that was changed anywhere never comes out as something else', async t => {
  const content = Buffer.from(Array.from({ length: 3000 }, (_, i) => (i * i) % 251))
  const packed = pack(content)
  await fc.assert(
    fc.asyncProperty(fc.nat(packed.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
      const damaged = Buffer.from(packed)
      damaged[at]! ^= change
      const out = await unzstd(damaged)
      return out === undefined || out.equals(content)
    }),
    { numRuns: 500 },
  )
  t.pass()
})
