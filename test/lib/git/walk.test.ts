import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { test } from 'tap'

import { GitError, Repository } from '../../../lib/git/repository.ts'
import { changedPaths } from '../../../lib/git/walk.ts'
import { Sandbox } from '../../fixtures/sandbox.ts'

test('the paths that differ are those that git says', async t => {
  const sandbox = new Sandbox(t)
  const path = sandbox.path('repo')
  sandbox.git(sandbox.dir, 'init', '-q', path)
  const at = (name: string) => `${path}/${name}`
  const repository = new Repository(path)
  t.teardown(() => repository.close())
  const changes: Record<string, () => void> = {
    'a first commit': () => {
      for (const directory of ['a/b/c', 'a-b', 'same/deep']) mkdirSync(at(directory), { recursive: true })
      for (const name of ['a/b/c/f', 'a/g', 'a-b/h', 'a.txt', 'same/deep/i']) writeFileSync(at(name), name)
    },
    'a name of any bytes': () => writeFileSync(Buffer.from(`${path}/\xe9 "\n`, 'latin1'), ''),
    'a file far below': () => writeFileSync(at('a/b/c/f'), 'new'),
    'a mode': () => chmodSync(at('a/g'), 0o755),
    'a file becomes a directory': () => {
      rmSync(at('a.txt'))
      mkdirSync(at('a.txt'))
      writeFileSync(at('a.txt/in'), '')
    },
    'a directory becomes a link': () => {
      rmSync(at('a/b'), { recursive: true })
      symlinkSync('g', at('a/b'))
    },
    'a rename across directories': () => renameSync(at('a-b/h'), at('same/deep/h')),
    'all is gone': () => {
      for (const name of ['a', 'a.txt', 'same']) rmSync(at(name), { recursive: true })
    },
    nothing: () => undefined,
  }
  const commits: string[] = []
  for (const change of Object.values(changes)) {
    change()
    sandbox.git(path, 'add', '-A')
    sandbox.git(path, 'commit', '-q', '--allow-empty', '-m', 'x')
    commits.push(sandbox.git(path, 'rev-parse', 'HEAD'))
  }
  for (const [i, name] of Object.keys(changes).entries()) {
    for (const [from, to] of [
      [commits[Math.max(0, i - 1)]!, commits[i]!],
      [commits[i]!, commits[0]!],
    ] as const) {
      const args = ['diff-tree', '-r', '-z', '--name-only', '--no-renames', from, to]
      const expected = execFileSync('git', ['-C', path, ...args])
        .toString('latin1')
        .split('\0')
        .slice(0, -1)
      t.same(new Set(await changedPaths(repository, from, to)), new Set(expected), name)
    }
  }
  await t.rejects(changedPaths(repository, commits[0]!, 'f'.repeat(40)), GitError)
})
