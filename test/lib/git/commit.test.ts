import { writeFileSync } from 'node:fs'
import { test } from 'tap'

import { parseCommit, readCommits } from '../../../lib/git/commit.ts'
import { Sandbox } from '../../fixtures/sandbox.ts'

test('author and subject of the revisions that the repository has', async t => {
  const sandbox = new Sandbox(t)
  const repository = sandbox.path('code')
  sandbox.git(sandbox.dir, 'init', '-q', repository)
  for (const subject of ['first: a line\n\nwith a body', 'second']) {
    sandbox.git(repository, 'commit', '-q', '--allow-empty', '-m', subject)
  }
  const [second, first] = sandbox.git(repository, 'rev-list', 'HEAD').split('\n')
  const commits = await readCommits(repository, [first!, 'f'.repeat(40), second!, 'HEAD'])
  t.same([...commits.keys()], [first, second])
  t.match(commits.get(first!), { author: 'Ada', email: 'ada@example.org', subject: 'first: a line' })
  t.equal(commits.get(second!)!.subject, 'second')
})

test('a repository that is not there has nothing to say', async t => {
  t.equal((await readCommits(new Sandbox(t).path('none'), ['a'.repeat(40)])).size, 0)
})

test('a commit is read in the encoding that it names', async t => {
  const sandbox = new Sandbox(t)
  const repository = sandbox.path('code')
  sandbox.git(sandbox.dir, 'init', '-q', repository)
  for (const [encoding, bytes] of [
    ['ISO-8859-1', Buffer.from('F\u00fc\u00dfe', 'latin1')],
    ['Shift_JIS', Buffer.from('93fa967b', 'hex')],
    ['UTF-8', Buffer.from('\u65e5\u672c')],
    ['x-nobody-knows', Buffer.from('\u65e5\u672c')],
  ] as const) {
    writeFileSync(sandbox.path('message'), Buffer.concat([bytes, Buffer.from('\n\nbody\n')]))
    const settings = ['-c', `i18n.commitEncoding=${encoding}`]
    sandbox.git(repository, ...settings, 'commit', '-q', '--allow-empty', '-F', sandbox.path('message'))
    const id = sandbox.git(repository, 'rev-parse', 'HEAD')
    const { subject } = (await readCommits(repository, [id])).get(id)!
    t.equal(subject, encoding === 'ISO-8859-1' ? 'F\u00fc\u00dfe' : '\u65e5\u672c', encoding)
  }
})

test('a message of 64 MiB costs no more than to read it once', { timeout: 60_000 }, async t => {
  const sandbox = new Sandbox(t)
  const repository = sandbox.path('code')
  sandbox.git(sandbox.dir, 'init', '-q', repository)
  sandbox.git(repository, 'config', 'core.bigFileThreshold', '1m')
  writeFileSync(sandbox.path('message'), Buffer.alloc(64 << 20, 'x < > 1 '))
  const tree = sandbox.git(repository, 'write-tree')
  const id = sandbox.git(repository, 'commit-tree', tree, '-F', sandbox.path('message'))
  const before = process.cpuUsage().user
  const commit = (await readCommits(repository, [id])).get(id)!
  t.equal(commit.author, 'Ada')
  t.equal(commit.subject.length, 4096)
  t.ok(process.cpuUsage().user - before < 4_000_000, 'in linear time')
})

test('a header that nobody would write is read in linear time, and says what it can', async t => {
  const read = (header: string, message = '') => parseCommit(Buffer.from(`${header}\n\n${message}`))
  t.match(read('author A > <B> C <a@b> 12 +0000\ncommitter D <d> 13 +0000', 's\nb'), {
    author: 'A >',
    email: 'B> C <a@b',
    authored: 12,
    committed: 13,
    subject: 's',
  })
  t.match(read('tree abc\ngpgsig x\n author fake <f> 1 +0000'), { tree: 'abc', author: '', authored: 0 })
  t.match(read('author nobody'), { author: 'nobody', email: '' })
  t.match(read('author A <a> 99999999999999999999 +0000'), { authored: 0 })
  t.match(parseCommit(Buffer.alloc(0)), { author: '', subject: '' })
  const began = performance.now()
  read(`author ${' < > 1 '.repeat(200_000)}\ncommitter ${' 1'.repeat(100_000)}`)
  t.ok(performance.now() - began < 1000)
})
