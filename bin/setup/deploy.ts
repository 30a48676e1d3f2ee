// A runnable copy of our own tree, and its way to where it stands in the place of an older one; see lib/system/tree.ts.

import { lstatSync, readFileSync, readlinkSync, symlinkSync, utimesSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'

// node:fs has only an experimental one in Node 20.
import { copySync } from 'fs-extra'

import { DEAD, fsyncPath, fsyncTree, move, serverTime, sweep, token } from '../../lib/system/durable.ts'
import { remove } from '../../lib/system/remove.ts'
import { listAllIfThere } from '../../lib/system/listing.ts'
import { ignoringENOENT, tolerating } from '../../lib/base/errno.ts'
import { lasting, quote, temporary } from '../../lib/base/exit.ts'
import { makeDirectories } from '../../lib/system/directories.ts'
import { CURRENT, currentTree, TREES } from '../../lib/system/tree.ts'

interface Manifest {
  readonly version: string
  readonly files?: readonly string[]
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

const manifestOf = (directory: string) =>
  JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as Manifest

/**
 * Replaces the tree of `directory` with a copy of `source`, by one rename. Replaced trees are deleted by the
 * first deploy after `keep` milliseconds. Returns the path of the copy.
 */
export function deploy(source: string, directory: string, keep: number): string {
  const { version, files = [] } = manifestOf(source)
  const trees = join(directory, TREES)
  for (const name of files) checkLink(directory, name)
  makeDirectories(trees)

  const tree = join(trees, `${version}-${token()}`)
  const making = join(trees, `.${basename(tree)}`)
  try {
    copyTree(source, making, files)
    fsyncTree(making)
    if (!move(making, tree)) throw temporary(`make ${quote(tree)}`, 'somebody removed it meanwhile')
    fsyncPath(trees)
  } finally {
    if (listAllIfThere(trees).includes(basename(making))) remove(making)
  }

  switchTo(trees, basename(tree))
  for (const name of files) makeLink(directory, name)
  fsyncPath(directory)
  deleteOld(trees, keep)
  return tree
}

/** Leaves out sources, source maps and tests, which a runnable tree does not need. */
const isNeeded = (path: string) => !/\.(?:[cm]?ts|map)$/.test(path) && !path.endsWith('/dist/test')

function copyTree(source: string, target: string, files: readonly string[]): void {
  const all = ['package.json', 'LICENSE', ...files, ...packagesOf(source)]
  for (const path of all) {
    copySync(join(source, path), join(target, path), {
      // A package that needs another version of a package has that inside; it is in the list if it is needed.
      filter: from => isNeeded(from) && !relative(join(source, path), from).startsWith('node_modules'),
    })
  }
}

/** The packages that `root` needs at run time, and those that these need, as paths in it: `node_modules/tar`. */
function packagesOf(root: string): string[] {
  const found = new Set<string>()
  const visit = (directory: string) => {
    const { dependencies, optionalDependencies } = manifestOf(directory)
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      const at = findPackage(root, directory, name)
      if (at === undefined && optionalDependencies?.[name] !== undefined) continue
      if (at === undefined)
        throw lasting(`find the package ${quote(name)}`, `it is not in ${quote(root)}; type 'npm ci' there`)
      if (found.has(at)) continue
      found.add(at)
      visit(at)
    }
  }
  visit(root)
  return [...found].map(path => relative(root, path))
}

/** Where code in `directory` finds a package, as Node looks for it, but not beyond `root`. */
function findPackage(root: string, directory: string, name: string): string | undefined {
  const at = join(directory, 'node_modules', name)
  if (ignoringENOENT(() => lstatSync(join(at, 'package.json')))) return at
  return directory === root ? undefined : findPackage(root, dirname(directory), name)
}

/** The moment at which the tree `name` is the one. */
function switchTo(trees: string, name: string): void {
  // Its times say from now on since when it is no longer needed, by the clock that will be asked how long that is.
  const before = currentTree(trees)
  const now = new Date(serverTime(trees))
  if (before !== undefined) ignoringENOENT(() => utimesSync(join(trees, before), now, now))
  const link = join(trees, `.${CURRENT}-${token()}`)
  symlinkSync(name, link)
  move(link, join(trees, CURRENT))
  fsyncPath(trees)
}

const targetOf = (name: string) => join(TREES, CURRENT, name)

function checkLink(directory: string, name: string): void {
  const path = join(directory, name)
  if (!listAllIfThere(directory).includes(name)) return
  if (tolerating(['EINVAL'], () => readlinkSync(path)) === targetOf(name)) return
  throw lasting(`deploy to ${quote(directory)}`, `there is a ${quote(name)} that no deploy has put there`)
}

function makeLink(directory: string, name: string): void {
  tolerating(['EEXIST'], () => symlinkSync(targetOf(name), join(directory, name)))
}

/** Deletes trees that were replaced long ago, and what a deploy that was killed has left. */
function deleteOld(trees: string, keep: number): void {
  const current = currentTree(trees)
  // Not to know which one is in use is no reason to delete it.
  if (current === undefined) return
  const now = serverTime(trees)
  for (const name of listAllIfThere(trees)) {
    const path = join(trees, name)
    if (name.startsWith(DEAD)) remove(path)
    if (name.startsWith(DEAD) || name === CURRENT || name === current) continue
    const { mtimeMs } = ignoringENOENT(() => lstatSync(path)) ?? { mtimeMs: Infinity }
    if (now - mtimeMs >= keep) sweep(path)
  }
}
