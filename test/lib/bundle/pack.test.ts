import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import fc from 'fast-check'
import { test } from 'tap'

import { unpack } from '../../../lib/bundle/bundle.ts'
import { PLAIN_MAX } from '../../../lib/bundle/output.ts'
import { pack } from '../../../lib/bundle/pack.ts'
import type { PackOptions } from '../../../lib/bundle/pack.ts'
import { GitError, Repository } from '../../../lib/git/repository.ts'
import { token } from '../../../lib/system/durable.ts'
import { commitTree, oddTree, output } from '../../fixtures/odd-tree.ts'
import { Sandbox } from '../../fixtures/sandbox.ts'
import { treeOf } from '../../fixtures/tree.ts'

const OPTIONS: PackOptions = { time: 1234567890, compressor: ['gzip', '-1'], maxBytes: 1e9 }

function make(t: ConstructorParameters<typeof Sandbox>[0], ...options: string[]) {
  const box = new Sandbox(t)
  const path = box.path('repo')
  box.git(box.dir, 'init', '-q', ...options, path)
  const repository = new Repository(path)
  t.teardown(() => repository.close())
  /** Packs a revision and answers the path of the archive. */
  const packed = async (revision: string, changes: Partial<PackOptions> = {}): Promise<string> => {
    const file = box.path(`${token()}.tar`)
    const fd = openSync(file, 'wx')
    try {
      const commit = await repository.commit(revision)
      await pack(repository, commit?.tree ?? revision, fd, { ...OPTIONS, ...changes })
    } finally {
      closeSync(fd)
    }
    return file
  }
  const write = (name: string, content: string | Buffer, mode = 0o644) => {
    mkdirSync(dirname(`${path}/${name}`), { recursive: true })
    writeFileSync(`${path}/${name}`, content, { mode })
  }
  const commit = () => {
    box.git(path, '-c', 'core.autocrlf=false', 'add', '-A')
    box.git(path, 'commit', '-q', '--allow-empty', '-m', 'x')
    return box.git(path, 'rev-parse', 'HEAD')
  }
  return { box, path, repository, packed, write, commit }
}

/** What `git ls-tree` says of each name of a revision, and what unpacking makes of it. */
function listed(path: string, revision: string): Record<string, string> {
  const kinds = { '040000': 'directory', '160000': 'directory', '100644': '644', '100755': '755' } as Record<
    string,
    string
  >
  const lines = output('git', ['ls-tree', '-rtz', revision], { cwd: path }).toString('latin1').split('\0')
  return Object.fromEntries(
    lines.filter(Boolean).map(line => {
      const [, mode, hash, name] = /^(\d+) \w+ (\w+)\t(.*)$/s.exec(line)!
      const kind = kinds[mode!] ?? '->'
      return [name!, kind === 'directory' ? 'directory 755' : `${kind} ${hash!}`]
    }),
  )
}

/** The same of what was unpacked. */
function found(directory: string, algorithm: string): Record<string, string> {
  return Object.fromEntries(
    Object.entries(treeOf(directory)).map(([name, what]) => {
      const [, kind, content] = /^(\S+) (.*)$/s.exec(what)!
      if (kind === 'directory') return [name, what]
      const bytes = Buffer.from(content!, 'latin1')
      const hash = createHash(algorithm).update(`blob ${bytes.length}\0`).update(bytes)
      return [name, `${kind!} ${hash.digest('hex')}`]
    }),
  )
}

for (const [format, length] of [
  ['sha1', 40],
  ['sha256', 64],
] as const) {
  test(`whatever a tree holds comes out as git lists it (${format})`, async t => {
    const { box, path, packed } = make(t, `--object-format=${format}`)
    const property = fc.asyncProperty(oddTree, async entries => {
      const [branch, into] = [`b${token()}`, box.path(token())]
      commitTree(path, branch, entries, length)
      const file = await packed(branch)
      await unpack(file, into, { maxBytes: 1e9 })
      assert.deepEqual(found(into, format), listed(path, branch))
      // Any tar can read it.
      assert.equal(output('tar', ['-tf', file, '--null']).length > 0, entries.length > 0)
      box.ok('rm', ['-rf', into, file])
    })
    await fc.assert(property, { numRuns: 10 })
  })
}

test('no attribute and no setting changes a byte: it is what git checks out without them', async t => {
  const { box, path, packed, write, commit } = make(t)
  write('crlf.txt', 'a\r\nb\n')
  write('unix.txt', 'a\nb\n')
  write('version', '$Format:%H$ $Id$\n')
  write('tests/a', 'a')
  write('run', '#!/bin/sh\n', 0o755)
  const plain = commit()
  const expected = found(path, 'sha1')
  write(
    '.gitattributes',
    '* text=auto eol=crlf ident\n/tests export-ignore\nversion export-subst\n*.txt filter=odd\nrun -text\n',
  )
  box.git(path, 'add', '.gitattributes')
  box.git(path, 'commit', '-q', '-m', 'attributes')
  const before = readFileSync(await packed('HEAD'))
  for (const [key, value] of [
    ['core.autocrlf', 'true'],
    ['core.eol', 'crlf'],
    ['filter.odd.smudge', 'false'],
    ['filter.odd.required', 'true'],
    ['tar.umask', '0077'],
    ['core.quotePath', 'false'],
    ['core.attributesFile', box.path('attributes')],
  ] as const) {
    box.git(path, 'config', key, value)
  }
  writeFileSync(box.path('attributes'), '* export-ignore\n')
  writeFileSync(`${path}/.git/info/attributes`, '* export-ignore\n')
  t.ok(readFileSync(await packed('HEAD')).equals(before))
  await unpack(await packed('HEAD'), box.path('into'), { maxBytes: 1e9 })
  const names = Object.keys(expected).filter(name => !name.startsWith('.git'))
  const made = found(box.path('into'), 'sha1')
  for (const name of names) t.equal(made[name], expected[name], name)
  t.equal(Object.keys(made).length, names.length + 1, 'and nothing else but the attributes')
  box.git(path, 'replace', 'HEAD', plain)
  box.git(
    path,
    'replace',
    box.git(path, 'rev-parse', 'HEAD:unix.txt'),
    box.git(path, 'rev-parse', 'HEAD:crlf.txt'),
  )
  t.ok(readFileSync(await packed('HEAD')).equals(before), 'nor does a replacement')
})

test('a clone, packed anew and whatever its directory, gives the same bytes', async t => {
  const { box, packed, path, write, commit } = make(t)
  for (let i = 0; i < 300; i++) write(`d${i % 7}/e${i % 31}/${i}`, `${i}\n`.repeat(i))
  const id = commit()
  const file = await packed(id, { compressor: ['cat'] })
  t.ok(statSync(file).size > PLAIN_MAX / 2)
  box.git(box.dir, 'clone', '-q', '--bare', path, 'other.git')
  box.git(box.path('other.git'), 'gc', '-q', '--aggressive')
  const other = new Repository(box.path('other.git'))
  t.teardown(() => other.close())
  const fd = openSync(box.path('other.tar'), 'wx')
  await pack(other, (await other.commit(id))!.tree, fd, { ...OPTIONS, compressor: ['cat'] })
  closeSync(fd)
  t.ok(readFileSync(box.path('other.tar')).equals(readFileSync(file)))
  const first = output('tar', ['--full-time', '-tvf', file]).toString().split('\n')[0]!
  t.match(first, /^drwxr-xr-x root\/root +0 2009-02-13 /)
})

test(
  'what is large goes through the compressor, in flat memory; what is small does not',
  { timeout: 120_000 },
  async t => {
    const { packed, write, commit } = make(t)
    write('small', 'x')
    const small = await packed(commit())
    t.equal(statSync(small).size, 512 + 512 + 1024)
    write('large', Buffer.alloc(64 << 20, 'large '))
    const id = commit()
    const before = process.memoryUsage.rss()
    let peak = 0
    const timer = setInterval(() => (peak = Math.max(peak, process.memoryUsage.rss())), 10)
    const large = await packed(id)
    clearInterval(timer)
    t.ok(statSync(large).size < 20 << 20)
    t.equal(readFileSync(large).toString('hex', 0, 2), '1f8b')
    t.ok(peak - before < 48 << 20, `${(peak - before) >> 20} MiB more at most`)
    t.equal(output('tar', ['-tzf', large]).toString(), 'large\nsmall\n')
  },
)

test('a compressor that is not there or fails, and a bundle that is too large, say so and leave nothing running', async t => {
  const { box, packed, write, commit, repository } = make(t)
  writeFileSync(box.path('not-executable'), '')
  write('large', Buffer.alloc(PLAIN_MAX + 1))
  for (let i = 0; i < 1000; i++) write(`d${i % 10}/${i}`, 'x'.repeat(3000))
  const id = commit()
  for (const [compressor, sentence] of [
    [['no-such-program', '-1'], /unable to run 'no-such-program': (?:no such program|permission denied)/],
    [[box.path('not-executable')], /unable to run '.*not-executable': permission denied/],
    [['sh', '-c', 'echo no room >&2; exit 3'], /unable to compress with '.*': no room$/],
    [['sh', '-c', 'head -c 9 >&2; kill -9 $$'], /unable to compress with '.*'/],
    [
      ['sh', '-c', 'head -c 9 | cat'],
      /unable to compress with '.*': it ended before it had read everything$/,
    ],
    [['true'], /unable to compress with 'true': it ended before it had read everything$/],
  ] as const) {
    await t.rejects(packed(id, { compressor }), { message: sentence, name: 'Error' })
  }
  await t.rejects(packed(id, { maxBytes: 100_000 }), GitError)
  await t.rejects(packed(id, { maxBytes: 100_000 }), {
    message: /more than the 100000 bytes that BUNDLE_MAX allows/,
  })
  const stop = new AbortController()
  const aborted = packed(id, { compressor: ['sh', '-c', 'cat >&2; exec sleep 100'], signal: stop.signal })
  setTimeout(() => stop.abort(), 100)
  await t.rejects(aborted, { code: 'ABORT_ERR' })
  t.equal((await repository.commit(id))?.id, id, 'and the repository answers as before')
  t.same(readdirSync('/proc/self/fd').length < 100, true)
})

test('trees that no checkout has are refused, and do not fill a disk', async t => {
  const { box, path, packed } = make(t)
  const mktree = (lines: string, ...options: string[]) =>
    box.ok('git', ['mktree', ...options], { cwd: path, input: lines })
  const blob = box.ok('git', ['hash-object', '-w', '--stdin'], { cwd: path, input: 'x' })
  // Raw, because git's own programs write no such names.
  const raw = (name: string, mode = '100644') => {
    writeFileSync(
      box.path('raw'),
      Buffer.concat([Buffer.from(`${mode} ${name}\0`), Buffer.from(blob, 'hex')]),
    )
    return box.ok('git', ['hash-object', '-w', '-t', 'tree', '--literally', box.path('raw')], { cwd: path })
  }
  for (const name of ['..', '.', 'a/b']) await t.rejects(packed(raw(name)), /impossible name/, name)
  await t.rejects(packed(raw('x', '140000')), /unknown mode 140000/)
  await t.rejects(packed(mktree(`100644 blob ${'2'.repeat(40)}\tgone\n`, '--missing')), /no object 2+/)
  await t.rejects(packed(mktree(`040000 tree ${'2'.repeat(40)}\tgone\n`, '--missing')), /no tree 2+/)
  let bomb = mktree(`100644 blob ${blob}\tf\n`)
  for (let depth = 0; depth < 10; depth++) {
    bomb = mktree(Array.from({ length: 10 }, (_, i) => `040000 tree ${bomb}\td${i}\n`).join(''))
  }
  await t.rejects(packed(bomb, { maxBytes: 10_000_000 }), /more than the 10000000 bytes/)
})
