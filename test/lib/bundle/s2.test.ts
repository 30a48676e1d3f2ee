// S2 both ways: by itself, and with the library that defines it, around which a small Go program is built here.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { test } from 'tap'

import { BundleError, unpack } from '../../../lib/bundle/bundle.ts'
import { crc32c } from '../../../lib/bundle/crc32c.ts'
import { decodeBlock, encodeBlock, encodedLength } from '../../../lib/bundle/s2-block.ts'
import { isS2, readS2, writeS2 } from '../../../lib/bundle/s2.ts'
import { lacks, ROOT, Sandbox } from '../../fixtures/sandbox.ts'

async function* from(...pieces: Buffer[]): AsyncGenerator<Buffer> {
  for (const piece of pieces) yield await Promise.resolve(piece)
}

async function all(source: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of source) parts.push(part)
  return Buffer.concat(parts)
}

const compress = (content: Buffer) => all(writeS2(from(content)))
const read = (stream: Buffer) => all(readS2(from(stream)))

/** Text that repeats itself near and far, bytes that do not, and both. */
const contents = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.constantFrom(Buffer.from('abcd'), Buffer.alloc(70, 'x'), Buffer.alloc(300)),
    ),
    {
      maxLength: 60,
    },
  )
  .map(parts => Buffer.concat(parts))

/** What compresses well, badly and not at all, over several blocks. */
const SAMPLES: Readonly<Record<string, Buffer>> = {
  nothing: Buffer.alloc(0),
  byte: Buffer.from('a'),
  zeros: Buffer.alloc(3 << 20),
  source: Buffer.concat(
    Array.from({ length: 10 }, () => readFileSync(join(ROOT, 'package-lock.json'))),
  ).subarray(0, 3 << 20),
  random: Buffer.from(
    Array.from({ length: 200_000 }, (_, i) => (Math.imul(i ^ (i >> 7), 2_654_435_761) >>> 13) & 255),
  ),
}

test('the checksum is CRC-32C', async t => {
  t.equal(crc32c(Buffer.from('123456789')), 0xe3069283)
  t.equal(crc32c(Buffer.alloc(32)), 0x8a9136aa)
})

test('what is written is read again, in whatever pieces it comes', async t => {
  await fc.assert(
    fc.asyncProperty(contents, fc.integer({ min: 1, max: 50 }), async (content, piece) => {
      const stream = await compress(content)
      const pieces = Array.from({ length: Math.ceil(stream.length / piece) }, (_, i) =>
        stream.subarray(i * piece, (i + 1) * piece),
      )
      return (await all(readS2(from(...pieces)))).equals(content)
    }),
    { numRuns: 300 },
  )
  for (const [name, content] of Object.entries(SAMPLES))
    t.ok((await read(await compress(content))).equals(content), name)
  t.ok((await compress(SAMPLES['source']!)).length < SAMPLES['source']!.length / 3)
})

test('a block never takes more room than it is given, and no bytes make its reader do anything but say no', async t => {
  fc.assert(
    fc.property(contents, content => {
      const block = Buffer.alloc(encodedLength(content.length))
      const end = encodeBlock(content, block, 0)
      return end <= block.length && decodeBlock(block.subarray(0, end), 1 << 20)!.equals(content)
    }),
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), bytes => {
      const content = decodeBlock(Buffer.from(bytes), 1000)
      return content === undefined || content.length <= 1000
    }),
    { numRuns: 3000 },
  )
  t.equal(decodeBlock(Buffer.from([4, 1, 0]), 9), undefined, 'a repeat without an offset')
  t.equal(decodeBlock(Buffer.from([8, 0, 97, 5, 2]), 9), undefined, 'a copy from before the beginning')
  t.equal(decodeBlock(Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f]), 4 << 20), undefined, 'a block of 4 GiB')
})

test('streams can follow one another, with padding, an index and what is to be skipped between', async t => {
  const [a, b] = [await compress(Buffer.from('one ')), await compress(Buffer.from('two'))]
  const skipped = Buffer.from([0xfe, 2, 0, 0, 7, 7, 0x99, 1, 0, 0, 7, 0x80, 0, 0, 0])
  t.equal((await read(Buffer.concat([a, skipped, b]))).toString(), 'one two')
})

test('what is damaged is said in a sentence', async t => {
  const whole = await compress(Buffer.from('some content that is long enough '.repeat(20)))
  const flipped = Buffer.from(whole)
  flipped[whole.length - 1]! ^= 1
  for (const [stream, why] of [
    [whole.subarray(0, -1), /middle of a chunk/],
    [whole.subarray(10), /does not begin as a stream/],
    [flipped, /checksum is wrong|cannot be read/],
    [Buffer.concat([whole, Buffer.from([0x02, 0, 0, 0])]), /unknown type 2/],
    [Buffer.concat([whole, Buffer.from([0x01, 1, 0, 0, 1])]), /without a checksum/],
    [Buffer.alloc(0), /middle of a chunk/],
  ] as const) {
    await t.rejects(read(stream), { message: why })
    t.ok(await read(stream).catch((error: unknown) => error instanceof BundleError))
  }
})

const GO = `package main

import (
	"io"
	"os"

	"github.com/klauspost/compress/s2"
)

func check(err error) {
	if err != nil {
		os.Stderr.WriteString(err.Error() + "\\n")
		os.Exit(1)
	}
}

func main() {
	options := map[string][]s2.WriterOption{
		"default": {}, "better": {s2.WriterBetterCompression()}, "best": {s2.WriterBestCompression()},
		"snappy": {s2.WriterSnappyCompat()}, "index": {s2.WriterAddIndex()}, "padded": {s2.WriterPadding(4096)},
		"large": {s2.WriterBlockSize(4 << 20)}, "plain": {s2.WriterUncompressed()},
	}
	if os.Args[1] == "read" {
		_, err := io.Copy(os.Stdout, s2.NewReader(os.Stdin))
		check(err)
		return
	}
	to := s2.NewWriter(os.Stdout, options[os.Args[1]]...)
	_, err := io.Copy(to, os.Stdin)
	check(err)
	check(to.Close())
}
`

test(
  'the reference reads ours, and we read all that it writes',
  { skip: lacks('go'), timeout: 300_000 },
  async t => {
    const sandbox = new Sandbox(t)
    writeFileSync(sandbox.path('s2.go'), GO)
    const env = {
      GO111MODULE: 'off',
      GOPATH: '/usr/share/gocode',
      GOCACHE: sandbox.path('cache'),
      GOFLAGS: '',
    }
    // Debian's own compiler has its library ready; another one makes it first.
    const go = existsSync('/usr/lib/go/bin/go') ? '/usr/lib/go/bin/go' : 'go'
    sandbox.ok(go, ['build', '-o', 's2', 's2.go'], { env })
    const throughGo = (mode: string, input: Buffer): Buffer => {
      writeFileSync(sandbox.path('in'), input)
      sandbox.ok('sh', ['-c', `./s2 ${mode} < in > out`])
      return readFileSync(sandbox.path('out'))
    }
    for (const [name, content] of Object.entries(SAMPLES)) {
      t.ok(throughGo('read', await compress(content)).equals(content), `it reads ${name}`)
      for (const mode of ['default', 'better', 'best', 'snappy', 'index', 'padded', 'large', 'plain']) {
        // Of nothing it writes nothing, or an index that it refuses itself.
        if (name === 'nothing') continue
        const stream = throughGo(mode, content)
        t.ok((await read(stream)).equals(content), `we read ${name}, ${mode}`)
        t.ok(isS2(stream), `${mode} is told by its beginning`)
      }
    }
  },
)

test('a bundle that is compressed with S2 is unpacked as any other, and leads nowhere else', async t => {
  const sandbox = new Sandbox(t)
  mkdirSync(sandbox.path('code'))
  writeFileSync(sandbox.path('code/hello'), 'hello\n')
  sandbox.ok('tar', ['-cf', 'good.tar', '-C', 'code', '.'])
  sandbox.ok('tar', ['-Pcf', 'bad.tar', '--transform', 's,^,../../,', 'code/hello'])
  for (const name of ['good', 'bad'])
    writeFileSync(sandbox.path(`${name}.tar.s2`), await compress(readFileSync(sandbox.path(`${name}.tar`))))
  await unpack(sandbox.path('good.tar.s2'), sandbox.path('good'), { maxBytes: 1 << 20 })
  t.equal(readFileSync(sandbox.path('good/hello'), 'utf8'), 'hello\n')
  await t.rejects(unpack(sandbox.path('bad.tar.s2'), sandbox.path('bad'), { maxBytes: 1 << 20 }), {
    message: /leads outside/,
  })
  await t.rejects(unpack(sandbox.path('good.tar.s2'), sandbox.path('small'), { maxBytes: 100 }), {
    message: /more than the 100 bytes/,
  })
})
