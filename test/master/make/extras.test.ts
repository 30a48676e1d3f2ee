import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'tap'

import { unpack } from '../../../lib/bundle/bundle.ts'
import { parsePointer } from '../../../master/make/lfs.ts'
import { relativeTo } from '../../../master/make/submodules.ts'
import type { Extras } from '../../../master/make/extras.ts'
import { Workshop } from '../../fixtures/workshop.ts'

const NONE: Extras = { lfs: false, submodules: false, gitDepth: 0 }

/** Makes a task of a revision and unpacks its code. */
async function codeOf(shop: Workshop, revision: string, extras: Partial<Extras>): Promise<string> {
  shop.touch(`refs/heads/main/${revision}`)
  const [task] = await shop.burst({ extras: { ...NONE, ...extras } })
  if (task === undefined) throw new Error('no task')
  const into = shop.path(`code-${task.split(':')[0]!}`)
  await unpack(join(shop.spool.tasks.cur, task, 'code.tar'), into, { maxBytes: 1e9 })
  return into
}

test('with CODE_GIT=N the code comes with a repository in which git works', async t => {
  const shop = new Workshop(t)
  shop.commit({ a: 'first' })
  const tagged = shop.commit({ a: 'second' })
  shop.git(shop.code, 'tag', '-a', '-m', 'x', 'v1')
  const id = shop.commit({ a: 'third', 'd/run': '#!/bin/sh\n' })
  shop.commit({ a: 'later' })
  const code = await codeOf(shop, id, { gitDepth: 2 })
  t.equal(shop.git(code, 'rev-parse', 'HEAD'), id)
  t.equal(shop.git(code, 'log', '--format=%H'), `${id}\n${tagged}`)
  t.match(shop.git(code, 'describe'), /^v1-1-g/)
  t.equal(shop.git(code, 'status', '--porcelain'), '')
  t.equal(shop.git(code, 'remote'), '')
  t.equal(shop.run('grep', ['-rl', shop.code, join(code, '.git')]).code, 1, 'nothing names the master')
  const deep = await codeOf(shop, id, { gitDepth: 1000 })
  t.equal(shop.git(deep, 'rev-list', '--count', 'HEAD'), '3')
  t.same(
    shop.ls('spool/tasks/tmp/.bundles').filter(name => name.startsWith('.scratch')),
    [],
  )
})

test('with SUBMODULES=yes submodules are filled, also those of submodules; without it they are empty', async t => {
  const shop = new Workshop(t)
  const bare = (name: string) => {
    shop.git(shop.dir, 'init', '-q', '-b', 'main', name)
    return shop.path(name)
  }
  const commitAll = (path: string, link?: string) => {
    shop.git(path, 'add', '-A')
    if (link !== undefined) shop.git(path, 'update-index', '--add', '--cacheinfo', link)
    shop.git(path, 'commit', '-q', '-m', 'x')
    return shop.git(path, 'rev-parse', 'HEAD')
  }
  const [inner, outer] = [bare('inner'), bare('outer')]
  writeFileSync(join(inner, 'deep'), 'deep')
  const old = commitAll(inner)
  writeFileSync(join(inner, 'deep'), 'newer')
  commitAll(inner)
  writeFileSync(join(outer, 'file'), 'x')
  writeFileSync(join(outer, '.gitmodules'), '[submodule "i"]\n path = sub/inner\n url = ../inner\n')
  const commit = commitAll(outer, `160000,${old},sub/inner`)
  shop.commit({ '.gitmodules': `[submodule "o"]\n\tpath = the outer\n\turl = ${outer}\n`, a: 'x' })
  const id = commitAll(shop.code, `160000,${commit},the outer`)
  const code = await codeOf(shop, id, { submodules: true })
  t.equal(readFileSync(join(code, 'the outer/file'), 'utf8'), 'x')
  t.equal(readFileSync(join(code, 'the outer/sub/inner/deep'), 'utf8'), 'deep')
  const plain = await codeOf(shop, id, {})
  t.same(shop.ok('find', ['the outer'], { cwd: plain }), 'the outer')
  rmSync(inner, { recursive: true })
  rmSync(shop.path('spool/tasks/tmp/.bundles'), { recursive: true })
  shop.touch(`refs/heads/other/${id}`)
  t.same(
    await shop.burst({ extras: { ...NONE, submodules: true }, eventTries: 1 }),
    [],
    'and not tested in part',
  )
})

test('with LFS=yes the content of pointers takes their place', async t => {
  const shop = new Workshop(t)
  const content = 'large\n'.repeat(100_000)
  const oid = createHash('sha256').update(content).digest('hex')
  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${oid}\nsize ${content.length}\n`
  const id = shop.commit({ 'a.bin': pointer, b: 'no pointer' })
  const store = join(
    shop.code,
    shop.git(shop.code, 'rev-parse', '--git-dir'),
    'lfs/objects',
    oid.slice(0, 2),
    oid.slice(2, 4),
    oid,
  )
  mkdirSync(dirname(store), { recursive: true })
  writeFileSync(store, content)
  const code = await codeOf(shop, id, { lfs: true })
  t.equal(readFileSync(join(code, 'a.bin'), 'utf8'), content)
  t.equal(readFileSync(join(code, 'b'), 'utf8'), 'no pointer')
  const plain = await codeOf(shop, id, {})
  t.equal(readFileSync(join(plain, 'a.bin'), 'utf8'), pointer)
  rmSync(shop.path('spool/tasks/tmp/.bundles'), { recursive: true })
  writeFileSync(store, 'short')
  shop.touch(`refs/heads/other/${id}`)
  t.same(await shop.burst({ extras: { ...NONE, lfs: true } }), [], 'what has another size is not it')
})

test('what a pointer says, and where a relative URL leads', async t => {
  const head = 'version https://git-lfs.github.com/spec/v1\n'
  t.same(parsePointer(`${head}oid sha256:${'a'.repeat(64)}\nsize 12\n`), { oid: 'a'.repeat(64), size: 12 })
  for (const text of [
    '',
    head,
    `${head}oid sha256:../x\nsize 1\n`,
    ` ${head}oid sha256:${'a'.repeat(64)}\nsize 1\n`,
  ]) {
    t.equal(parsePointer(text), undefined)
  }
  for (const [base, url, expected] of [
    ['https://x.org/a/b.git', '../c.git', 'https://x.org/a/c.git'],
    ['git@x.org:a/b', '../../c/d', 'git@x.org/c/d'],
    ['/srv/git/a/', './b', '/srv/git/a/b'],
    ['/srv/git/a', '../b', '/srv/git/b'],
  ] as const) {
    t.equal(relativeTo(base, url), expected)
  }
})
