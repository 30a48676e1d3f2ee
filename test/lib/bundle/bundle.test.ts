import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { create } from 'tar'
import { test } from 'tap'

import { BundleError, unpack } from '../../../lib/bundle/bundle.ts'
import { token } from '../../../lib/system/durable.ts'
import { eventually, lacks, ROOT, Sandbox } from '../../fixtures/sandbox.ts'
import { commitTree, oddTree, output } from '../../fixtures/odd-tree.ts'
import { END, pax, tarOf } from '../../fixtures/tar.ts'
import type { Member } from '../../fixtures/tar.ts'
import { treeOf } from '../../fixtures/tree.ts'
import type { Tree } from '../../fixtures/tree.ts'

const PLENTY = { maxBytes: 1e9 }

/** Unpacks these bytes, as code.tar, into a fresh directory and answers what is there. */
async function unpacked(box: Sandbox, bytes: Buffer, options = PLENTY): Promise<Tree> {
  writeFileSync(box.path('code.tar'), bytes)
  const into = box.path(`into-${token()}`)
  try {
    await unpack(box.path('code.tar'), into, options)
    return treeOf(into)
  } finally {
    // Node's own removal cannot go as deep as a hostile tree.
    box.ok('rm', ['-rf', into])
  }
}

/** The sentence with which these bytes are refused. */
async function refusal(box: Sandbox, bytes: Buffer, options = PLENTY): Promise<string> {
  try {
    await unpacked(box, bytes, options)
  } catch (error) {
    if (error instanceof BundleError) return error.message
    throw error
  }
  return 'it was unpacked'
}

test('files, directories and links come out with names, permission bits and content', async t => {
  const box = new Sandbox(t)
  const tree = await unpacked(
    box,
    tarOf(
      { name: './', type: '5' },
      { name: 'empty/', type: '5', mode: 0o750 },
      { name: 'dir', type: '5', mode: 0o777 },
      { name: 'dir/run', mode: 0o755, content: '#!/bin/sh\n' },
      { name: './dir//secret', mode: 0o600, content: 'x'.repeat(1000) },
      { name: 'dir/nothing', mode: 0o664 },
      { name: 'dir/up', type: '2', target: '../empty' },
      { name: 'dir/nowhere', type: '2', target: 'a/b' },
      { name: 'again', type: '1', target: 'dir/run' },
      { name: 'old/', type: '0', mode: 0o755 },
      { name: 'not/named/before', content: 'y' },
    ),
  )
  t.strictSame(tree, {
    empty: 'directory 750',
    dir: 'directory 777',
    'dir/run': '755 #!/bin/sh\n',
    'dir/secret': `600 ${'x'.repeat(1000)}`,
    'dir/nothing': '664 ',
    'dir/up': '-> ../empty',
    'dir/nowhere': '-> a/b',
    again: '755 #!/bin/sh\n',
    old: 'directory 755',
    not: tree['not']!,
    'not/named': tree['not/named']!,
    'not/named/before': '644 y',
  })
})

test('the umask of the process changes no mode, and set-id and sticky bits are dropped', async t => {
  const box = new Sandbox(t)
  const before = process.umask(0o077)
  t.teardown(() => process.umask(before))
  const tree = await unpacked(
    box,
    tarOf(
      { name: 'd', type: '5', mode: 0o1777 },
      { name: 'd/set-id', mode: 0o6755, content: 'x' },
      { name: 'd/none', mode: 0o000 },
      { name: 'closed', type: '5', mode: 0o055 },
    ),
  )
  t.strictSame(tree, {
    d: 'directory 777',
    'd/set-id': '755 x',
    'd/none': '0 ',
    closed: 'directory 755',
  })
})

test('a hard link that stays inside is one file with two names', async t => {
  const box = new Sandbox(t)
  const bytes = tarOf({ name: 'd/a', content: 'x' }, { name: 'b', type: '1', target: './d/a', size: 1 })
  writeFileSync(box.path('code.tar'), bytes)
  await unpack(box.path('code.tar'), box.path('code'), PLENTY)
  t.equal(lstatSync(box.path('code/b')).ino, lstatSync(box.path('code/d/a')).ino)
})

test('symbolic links are made as git makes them, wherever they lead', async t => {
  const box = new Sandbox(t)
  const links: [string, string][] = [
    ['here', '.'],
    ['a/b/top', '../..'],
    ['a/b/round', './x/.././y'],
    ['a/loop', 'loop'],
    ['deep', 'a/b'],
    ['through', 'deep/../..'],
    ['absolute', '/etc/hostname'],
    ['nowhere', '/no/such'],
    ['a/up', '../../sibling'],
    ['x', 'a/b/../../..'],
    ['long', 'y/'.repeat(40) + '/../..'],
  ]
  const tree = await unpacked(box, tarOf(...links.map(([name, target]) => ({ name, target, type: '2' }))))
  for (const [name, target] of links) t.equal(tree[name], `-> ${target}`)
})

test('names are bytes: whatever they are, they come out as they went in', async t => {
  const box = new Sandbox(t)
  const long = Array.from({ length: 12 }, (_, n) => `${n}\n\xff\xfe`.padEnd(200, '\xc3\xa9=\n')).join('/')
  const names = [
    'new\nline',
    '\xff\xfe\x80',
    'd\xc3\xa9j\xc3\xa0',
    ' ',
    '-rf',
    '\\',
    '\x1b[31m',
    '...',
    '*',
    '~',
  ]
  const files = names.map(name => ({ name, content: 'x' }))
  const bytes = tarOf(
    ...files,
    pax({ path: long, mtime: '1.5' }),
    { name: 'short', content: 'y' },
    pax({ linkpath: long }),
    { name: 'link', type: '2' },
    { name: '././@LongLink', type: 'L', content: long + '2\0' },
    { name: 'short', content: 'z' },
    { name: '././@LongLink', type: 'K', content: long + '\0' },
    { name: 'hard', type: '1' },
  )
  const tree = await unpacked(box, bytes)
  for (const name of names) t.equal(tree[name], '644 x', name)
  t.equal(tree[long], '644 y')
  t.equal(tree['link'], `-> ${long}`)
  t.equal(tree[`${long}2`], '644 z')
  t.equal(tree['hard'], '644 y')
})

const COMPRESSORS: [string, string[]][] = [
  ['cat', []],
  ['gzip', ['-1']],
  ['zstd', ['-q', '-1']],
  ['xz', ['-1']],
]

for (const [program, args] of COMPRESSORS) {
  const skip = lacks(program)
  const members: Member[] = Array.from({ length: 40 }, (_, n) => ({
    name: `${n}`,
    // Something that does not compress to nothing.
    content: createHash('shake256', { outputLength: 550 }).update(String(n)).digest('hex'),
  }))
  const whole = tarOf(...members)
  const compress = () => output(program, args, { input: whole })

  test(`what ${program} made is recognised by content`, { skip }, async t => {
    const tree = await unpacked(new Sandbox(t), compress())
    t.strictSame(Object.values(tree).sort(), members.map(({ content }) => `644 ${String(content)}`).sort())
  })

  test(`what ${program} made is refused wherever it is cut off`, { skip }, async t => {
    const box = new Sandbox(t)
    const bytes = program === 'cat' ? whole.subarray(0, -END.length) : compress()
    const cuts = [0, 1, 5, 6, 100, 511, 512, 513, 1024, 5120, bytes.length >> 1, bytes.length - 1]
    for (const cut of cuts.filter(cut => cut < bytes.length)) {
      t.match(
        await refusal(box, bytes.subarray(0, cut)),
        /^code\.tar: (truncated|damaged|not a tar)/,
        `${cut}`,
      )
    }
    if (program === 'cat')
      t.match(await refusal(box, bytes), /^code\.tar: truncated: it ends at byte \d+, in or after '39'$/)
  })

  test(`what ${program} made is refused, or comes out right, whatever byte is wrong`, { skip }, async t => {
    const box = new Sandbox(t)
    const bytes = compress()
    const right = await unpacked(box, bytes)
    const any = fc.tuple(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }))
    const property = fc.asyncProperty(any, async ([at, change]) => {
      const wrong = Buffer.from(bytes)
      wrong[at]! ^= change
      try {
        const tree = await unpacked(box, wrong)
        // A plain tar says nothing of its content, only of its headers.
        if (program !== 'cat') assert.deepEqual(tree, right)
      } catch (error) {
        assert(error instanceof BundleError, String(error))
      }
    })
    await fc.assert(property, { numRuns: 25 })
    t.strictSame(
      box.ls().filter(name => name !== 'jobtmp'),
      ['code.tar'],
    )
  })

  test(`what ${program} made may not grow beyond what is allowed`, { skip }, async t => {
    const box = new Sandbox(t)
    const bomb = tarOf({ name: 'zeros', content: Buffer.alloc(3_000_000) })
    const behind = Buffer.concat([tarOf({ name: 'small' }), Buffer.alloc(3_000_000)])
    for (const bytes of [bomb, behind]) {
      const sentence = await refusal(box, output(program, args, { input: bytes }), { maxBytes: 1_000_000 })
      t.equal(sentence, 'code.tar: more than the 1000000 bytes that BUNDLE_MAX allows')
    }
    t.match(await unpacked(box, bomb, { maxBytes: bomb.length }), { zeros: String })
  })
}

test('several streams of one compressor, one behind the other, are one', async t => {
  const bytes = tarOf({ name: 'a', content: 'x' })
  const tree = await unpacked(
    new Sandbox(t),
    Buffer.concat([gzipSync(bytes.subarray(0, 700)), gzipSync(bytes.subarray(700))]),
  )
  t.strictSame(tree, { a: '644 x' })
})

const outside: [string, (Member | Buffer)[], RegExp][] = [
  ['a name that climbs', [{ name: '../x' }], /the entry '\.\.\/x' leads outside/],
  ['a name that climbs later', [{ name: 'a/../../x' }], /the entry 'a\/\.\.\/\.\.\/x' leads outside/],
  ['a directory that climbs', [{ name: '..', type: '5' }], /the entry '\.\.' leads outside/],
  ['an absolute name', [{ name: '/tmp/x' }], /the entry '\/tmp\/x' leads outside/],
  ['an absolute name in pax', [pax({ path: '/x' }), { name: 'x' }], /the entry '\/x' leads outside/],
  ['a link to nothing', [{ name: 'l', type: '2' }], /the symbolic link 'l' leads to nothing/],
  [
    'a file through a link',
    [
      { name: 'd', type: '5' },
      { name: 'l', type: '2', target: 'd' },
      { name: 'l/x', content: 'x' },
    ],
    /the entry 'l\/x' leads through 'l', which is no directory/,
  ],
  [
    'a file through a link that leads outside',
    [
      { name: 'l', type: '2', target: '..' },
      { name: 'l/x', content: 'x' },
    ],
    /the entry 'l\/x' leads through 'l', which is no directory/,
  ],
  [
    'a directory through links that lead outside',
    [
      { name: 'd/l', type: '2', target: '/tmp' },
      { name: 'm', type: '2', target: 'd/l' },
      { name: 'm/x', type: '5' },
    ],
    /the entry 'm\/x' leads through 'm', which is no directory/,
  ],
  [
    'a hard link to what a link outside leads to',
    [
      { name: 'l', type: '2', target: '../code.tar' },
      { name: 'h', type: '1', target: 'l' },
    ],
    /the hard link 'h' leads to 'l', which is no file/,
  ],
  [
    'a hard link through a link that leads outside',
    [
      { name: 'l', type: '2', target: '..' },
      { name: 'h', type: '1', target: 'l/code.tar' },
    ],
    /the hard link 'h' leads to 'l\/code\.tar', which is no file/,
  ],
  [
    'a file over a link that leads outside',
    [
      { name: 'l', type: '2', target: '../new' },
      { name: 'l', content: 'x' },
    ],
    /the entry 'l' is there twice/,
  ],
  [
    'a file over a link',
    [
      { name: 'l', type: '2', target: 'x' },
      { name: 'l', content: 'x' },
    ],
    /the entry 'l' is there twice/,
  ],
  [
    'a directory over a link',
    [
      { name: 'l', type: '2', target: '.' },
      { name: 'l', type: '5' },
    ],
    /the entry 'l' leads through 'l', which is no directory/,
  ],
  [
    'a hard link that climbs',
    [{ name: 'h', type: '1', target: '../code.tar' }],
    /the hard link 'h' leads outside, to '\.\.\/code\.tar'/,
  ],
  [
    'a hard link through a link',
    [
      { name: 'd/f', content: 'x' },
      { name: 'l', type: '2', target: 'd' },
      { name: 'h', type: '1', target: 'l/f' },
    ],
    /the hard link 'h' leads to 'l\/f', which is no file/,
  ],
  [
    'a hard link to a link',
    [
      { name: 'd/e/l', type: '2', target: '../..' },
      { name: 'h', type: '1', target: 'd/e/l' },
    ],
    /the hard link 'h' leads to 'd\/e\/l', which is no file/,
  ],
  ['a hard link to nothing', [{ name: 'h', type: '1', target: 'x' }], /the hard link 'h' leads to 'x'/],
  ['a hard link to all of it', [{ name: 'h', type: '1', target: '.' }], /the hard link 'h' leads to '\.'/],
  ['a device', [{ name: 'null', type: '3' }], /the entry 'null' is a device/],
  ['a block device', [{ name: 'sda', type: '4' }], /the entry 'sda' is a device/],
  ['a FIFO', [{ name: 'p', type: '6' }], /the entry 'p' is a FIFO/],
  ['a sparse file', [{ name: 's', type: 'S' }], /the entry 's' is a sparse file/],
  ['a sparse file of pax', [pax({ 'GNU.sparse.major': '1' }), { name: 's' }], /it holds a sparse file/],
  ['a type nobody knows', [{ name: 'q', type: 'Q' }], /the entry 'q' is of the unknown type 'Q'/],
  [
    'a name that is too long',
    [{ name: 'x' }, pax({ path: 'y'.repeat(256) }), { name: 'x' }],
    /'y+' cannot be made/,
  ],
  [
    'a path that is too long',
    [pax({ path: ('y'.repeat(250) + '/').repeat(20) + 'x' }), { name: 'x' }],
    /cannot be made: name too long/,
  ],
  ['a file twice', [{ name: 'x' }, { name: './x' }], /the entry 'x' is there twice/],
  ['a file in a file', [{ name: 'x' }, { name: 'x/y' }], /'x\/y' leads through 'x', which is no directory/],
  [
    'a wrong checksum',
    [{ name: 'x' }, { name: 'y', checksum: 7 }],
    /damaged: no valid header before byte 1024/,
  ],
  ['a name with a NUL', [pax({ path: 'a\0b' }), { name: 'x' }], /damaged/],
  ['a size that is none', [pax({ size: '-1' }), { name: 'x' }], /damaged/],
  ['a size beyond its end', [{ name: 'x', size: 5000 }], /truncated: it ends at byte 1536, in or after 'x'/],
  ['a pax header that is none', [{ name: 'p', type: 'x', content: '99 path=x\n' }], /damaged: a pax header/],
  ['a pax header without end', [{ name: 'p', type: 'x', size: 2 ** 30 }], /damaged/],
  ['what drives a terminal', [{ name: '../\x1b[2J\n' }], /the entry '\.\.\/\\x1b\[2J\\x0a' leads outside/],
]

for (const [what, members, sentence] of outside) {
  test(`refused: ${what}`, async t => {
    const box = new Sandbox(t)
    const before = treeOf(box.dir)
    const said = await refusal(box, tarOf(...members))
    t.match(said, sentence)
    t.match(said, /^code\.tar: .{1,400}$/)
    rmSync(box.path('code.tar'))
    t.strictSame(treeOf(box.dir), before, 'nothing is left outside')
  })
}

test('what is no archive is refused with a sentence', async t => {
  const box = new Sandbox(t)
  const none = 'code.tar: not a tar archive, plain or compressed with gzip, zstd or xz'
  t.equal(await refusal(box, Buffer.from('')), none)
  t.equal(await refusal(box, Buffer.from('hello\n')), none)
  t.equal(await refusal(box, Buffer.alloc(2000, 'hello\n')), none)
  t.equal(await refusal(box, gzipSync('hello\n')), none)

  const sentence = async (name: string) => {
    const error: unknown = await unpack(box.path(name), box.path(`into-${token()}`), PLENTY).catch(
      (e: unknown) => e,
    )
    return error instanceof BundleError ? error.message : `not a sentence: ${String(error)}`
  }
  mkdirSync(box.path('directory'))
  box.ok('mkfifo', ['fifo'])
  symlinkSync('nothing', box.path('dangling'))
  t.equal(await sentence('missing'), 'missing: no such file or directory')
  t.equal(await sentence('dangling'), 'dangling: no such file or directory')
  t.equal(await sentence('directory'), 'directory: not a regular file')
  t.equal(await sentence('fifo'), 'fifo: not a regular file')
})

test('no bytes at all make it throw anything but its own error', async t => {
  const box = new Sandbox(t)
  const member = fc.record(
    {
      name: fc.string({ unit: 'binary-ascii', maxLength: 100 }),
      type: fc.constantFrom(...'\x00012567xgLKV'.split('')),
      target: fc.constantFrom('', '.', '..', 'a', 'a/..', 'a/b'),
      content: fc.uint8Array({ maxLength: 600 }).map(bytes => Buffer.from(bytes)),
      size: fc.nat(2000),
      mode: fc.nat(0o7777),
    },
    { requiredKeys: ['name', 'type', 'content'] },
  )
  const bytes = fc.array(
    fc.oneof(
      member,
      fc.uint8Array({ maxLength: 1200 }).map(bytes => Buffer.from(bytes)),
    ),
    {
      maxLength: 8,
    },
  )
  await fc.assert(
    fc.asyncProperty(bytes, async members => typeof (await refusal(box, tarOf(...members))) === 'string'),
    { numRuns: 100 },
  )
  t.strictSame(box.ls(), ['code.tar', 'jobtmp'])
})

for (const [program, args] of [
  // Without a checksum it is not for our own process.
  ['zstd', ['--no-check']],
  ['xz', []],
] as [string, string[]][]) {
  test(`where there is no ${program}, the sentence says so`, { skip: lacks(program) }, async t => {
    const box = new Sandbox(t)
    const bytes = output(program, args, { input: tarOf({ name: 'x' }) })
    const path = process.env['PATH']
    t.teardown(() => (process.env['PATH'] = path))
    process.env['PATH'] = box.dir
    t.equal(
      await refusal(box, bytes),
      `code.tar: compressed with ${program}, and there is no such program here`,
    )
    writeFileSync(box.path(program), 'not executable')
    t.match(await refusal(box, bytes), /there is no such program here$/)
  })
}

test('more than a million entries are refused', async t => {
  const box = new Sandbox(t)
  // The directory itself, again and again: what is counted is what is said, not what is made.
  const one = tarOf({ name: '.', type: '5' }).subarray(0, 512)
  const some = gzipSync(Buffer.concat(Array<Buffer>(10_000).fill(one)))
  writeFileSync(box.path('code.tar'), Buffer.concat(Array<Buffer>(101).fill(some)))
  // In a process of its own, where nothing looks at each of some million promises.
  const code = `require(process.argv[1]).unpack('code.tar', 'code', { maxBytes: 1e9 }).catch(e => console.log(e.message))`
  const said = box.ok(process.execPath, ['-e', code, join(ROOT, 'dist/lib/bundle/bundle.js')])
  t.equal(said, 'code.tar: more than 1000000 entries')
})

test('timers run while it unpacks', async t => {
  const box = new Sandbox(t)
  let beats = 0
  const heart = setInterval(() => beats++, 1)
  t.teardown(() => clearInterval(heart))
  await unpacked(box, tarOf(...Array.from({ length: 20_000 }, () => ({ name: '.', type: '5' }))))
  t.ok(beats > 1)
})

for (const [program, args] of COMPRESSORS) {
  test(`it stops when told to, and so does ${program}`, { skip: lacks(program) }, async t => {
    const box = new Sandbox(t)
    const members = Array.from({ length: 1500 }, (_, n) => ({
      name: `${n}`,
      content: Buffer.alloc(20_000, n),
    }))
    writeFileSync(box.path('code.tar'), output(program, args, { input: tarOf(...members) }))
    const controller = new AbortController()
    const unpacking = unpack(box.path('code.tar'), box.path('code'), { ...PLENTY, signal: controller.signal })
    const ended = unpacking.then(
      () => 'unpacked',
      (error: unknown) => error,
    )
    // The first file is there, the last is far away.
    while (box.ls('code').length === 0) await new Promise(done => setImmediate(done))
    controller.abort()
    t.match(await ended, { name: 'AbortError' })
    t.ok(box.ls('code').length < members.length)
    await eventually('no decompressor is left', () => children().length === 0)
  })
}

test('nothing is unpacked after a signal that came before', async t => {
  const box = new Sandbox(t)
  writeFileSync(box.path('code.tar'), tarOf({ name: 'x' }))
  const signal = AbortSignal.abort()
  await t.rejects(unpack(box.path('code.tar'), box.path('code'), { ...PLENTY, signal }), {
    name: 'AbortError',
  })
  t.strictSame(box.ls('code'), [])
})

test('a directory that is there is not unpacked into', async t => {
  const box = new Sandbox(t)
  writeFileSync(box.path('code.tar'), tarOf({ name: 'x' }))
  mkdirSync(box.path('code'))
  await t.rejects(unpack(box.path('code.tar'), box.path('code'), PLENTY), { code: 'EEXIST' })
  t.strictSame(box.ls('code'), [])
})

for (const format of ['v7', 'oldgnu', 'gnu', 'ustar', 'posix']) {
  test(`a tar of the format ${format}, made by GNU tar, comes out as it went in`, async t => {
    const box = new Sandbox(t)
    sample(box)
    const bytes = output('tar', ['-c', `--format=${format}`, '-C', box.path('sample'), '.'])
    t.strictSame(await unpacked(box, bytes), treeOf(box.path('sample')))
  })
}

test('a tar made by the package tar comes out as it went in', async t => {
  const box = new Sandbox(t)
  sample(box)
  const file = box.path('made.tar')
  await create({ file, cwd: box.path('sample'), gzip: true }, ['.'])
  t.strictSame(await unpacked(box, readFileSync(file)), treeOf(box.path('sample')))
})

function sample(box: Sandbox): void {
  const deep = box.path('sample', 'directory'.repeat(7))
  mkdirSync(deep, { recursive: true })
  writeFileSync(join(deep, 'run'), 'x', { mode: 0o755 })
  writeFileSync(join(deep, 'big'), Buffer.alloc(1_000_000, 'abc'))
  symlinkSync(`../${basename(deep)}/run`, join(deep, 'link'))
}

/** Pids of the children of this process that are not over. */
function children(): string[] {
  return readdirSync('/proc').filter(pid => {
    if (!/^\d+$/.test(pid)) return false
    try {
      const [state, parent] = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]!.split(' ')
      return parent === String(process.pid) && state !== 'Z'
    } catch {
      // It ended while we looked.
      return false
    }
  })
}

test('an empty tree of git is an empty directory', async t => {
  const box = new Sandbox(t)
  box.git(box.dir, 'init', '-q', 'repo')
  const tree = box.ok('git', ['mktree'], { cwd: box.path('repo'), input: '' })
  t.strictSame(await unpacked(box, output('git', ['archive', tree], { cwd: box.path('repo') })), {})
  t.strictSame(await unpacked(box, output('tar', ['-cT', '/dev/null'])), {})
})

test('whatever git archives comes out as git lists it', async t => {
  const box = new Sandbox(t)
  box.git(box.dir, 'init', '-q', 'repo')
  const repo = { cwd: box.path('repo') }
  const modes = {
    '040000': 'directory 755',
    '160000': 'directory 755',
    '100644': '644',
    '100755': '755',
  } as Record<string, string>
  const property = fc.asyncProperty(oddTree, async entries => {
    const branch = `b${token()}`
    commitTree(repo.cwd, branch, entries)
    const listed = output('git', ['ls-tree', '-rtz', branch], repo)
      .toString('latin1')
      .split('\0')
      .filter(Boolean)
    const expected = listed.map(line => {
      const [, mode, hash, name] = /^(\d+) \w+ (\w+)\t(.*)$/s.exec(line)!
      return [
        name!,
        modes[mode!]?.startsWith('d') ? modes[mode!]! : `${modes[mode!] ?? '->'} ${hash!}`,
      ] as const
    })
    const tree = await unpacked(box, output('git', ['-c', 'tar.umask=022', 'archive', branch], repo))
    const found = Object.entries(tree).map(([name, what]) => [name, withHash(what)] as const)
    assert.deepEqual(Object.fromEntries(found), Object.fromEntries(expected))
  })
  await fc.assert(property, { numRuns: 20 })
})

/** `MODE CONTENT` with the content as the id that git gives it. */
function withHash(what: string): string {
  const [, kind, content] = /^(\S+) (.*)$/s.exec(what)!
  if (kind === 'directory') return what
  const bytes = Buffer.from(content!, 'latin1')
  return `${kind!} ${createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex')}`
}
