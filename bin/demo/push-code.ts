// The repositories of the demo: this project's own code with its history, and steps for it.

import { existsSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

// node:fs has only an experimental one in Node 20.
import { copySync } from 'fs-extra'

import { git } from '../../lib/git/process.ts'
import { Fatal } from '../../lib/base/exit.ts'
import { makeDirectories } from '../../lib/system/directories.ts'

/** The demo works for users without a git identity, for those who sign, and in a tree that another user owns. */
export const AS = [
  ['-c', 'user.name=BASS', '-c', 'user.email=bass@localhost'],
  ['-c', 'commit.gpgSign=false', '-c', 'safe.directory=*'],
].flat()

/** Makes a bare repository to push to. Global git settings of the user must not disturb the hook. */
export function makeBare(path: string): void {
  mkdirSync(path)
  git(path, 'init', '-q', '--bare')
  for (const [key, value] of [
    ['core.hooksPath', join(path, 'hooks')],
    ['receive.shallowUpdate', 'true'],
    ['receive.autogc', 'false'],
    ['bass.revisions', 'tip'],
  ] as const) {
    git(path, 'config', key, value)
  }
}

export interface DemoSource {
  /** The repository to push from. */
  readonly path: string
  readonly tip: string
  readonly commits: number
  /** False where there was no history, and one commit was made of the files. */
  readonly real: boolean
}

/** The history of the tree `root`; where it was installed without one, `spare` becomes a repository of its files. */
export function findHistory(root: string, spare: string): DemoSource {
  const real = hasHistory(root)
  if (!real) commitFiles(root, spare)
  const path = real ? root : spare
  const ask = (...args: string[]) => git(path, ...AS, ...args)
  return { path, tip: ask('rev-parse', 'HEAD'), commits: Number(ask('rev-list', '--count', 'HEAD')), real }
}

function hasHistory(root: string): boolean {
  try {
    // A surrounding repository is not ours.
    git(root, ...AS, 'rev-parse', '--verify', '-q', 'HEAD')
    return git(root, ...AS, 'rev-parse', '--show-toplevel') === realpathSync(root)
  } catch (error) {
    if (error instanceof Fatal) return false
    throw error
  }
}

const FILES = ['bin', 'examples', 'hooks', 'lib', 'master', 'slave', 'package.json', 'tsconfig.json']

function commitFiles(root: string, path: string): void {
  commitTree(
    path,
    FILES.filter(name => existsSync(join(root, name))).map(name => [join(root, name), name]),
  )
}

/** A repository with the example steps. */
export function makeSteps(root: string, path: string): void {
  commitTree(path, [[join(root, 'examples/steps'), '.']])
}

/** A repository whose steps run in an image. */
export function makeContainerCode(path: string, image: string): DemoSource {
  makeDirectories(join(path, '.bass'))
  const step = (name: string, script: string) =>
    writeFileSync(join(path, '.bass', name), `#!/bin/sh -e\n${script}\n`, { mode: 0o755 })
  writeFileSync(join(path, 'greeting'), 'hello from a container\n')
  writeFileSync(join(path, '.bass/image'), `${image}\n`)
  step('10-where', 'echo "the image has $(ls /bin | wc -l) programs: $(ls /bin | tr "\\n" " ")"\nuname -sm')
  step('20-network', '[ "$(grep -c : /proc/net/dev)" = 1 ]; echo "no network but its loopback"')
  step('30-test', 'grep hello greeting; cat greeting >"$BASS_ARTIFACTS/greeting"')
  commitTree(path, [])
  const tip = git(path, ...AS, 'rev-parse', 'HEAD')
  return { path, tip, commits: 1, real: false }
}

/** A repository for `git jci run`, with a script that tests what else is in it. */
export function makeJciCode(root: string, path: string): void {
  const copies = [
    ['examples/jci/run.sh', '.jci/run.sh'],
    ['examples/steps', 'steps'],
    ['hooks', 'hooks'],
  ] as const
  commitTree(
    path,
    copies.map(([from, to]) => [join(root, from), to]),
  )
}

/** A repository with one commit, of copies of what is named first under the names that come second. */
function commitTree(path: string, copies: readonly (readonly [string, string])[]): void {
  makeDirectories(path)
  for (const [from, to] of copies) copySync(from, join(path, to))
  git(path, 'init', '-q')
  git(path, 'add', '--all')
  git(path, ...AS, 'commit', '-q', '-m', 'the demo')
}

/** Pushes the tip of the history as `main`. Returns the output of git and the hook. */
export function push(source: DemoSource, to: string): void {
  git(source.path, ...AS, 'push', '-q', to, 'HEAD:refs/heads/main')
}
