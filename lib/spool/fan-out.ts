// Copies of a task directory, every file a hard link: the fan-out to architectures, and what is published again.

import { copyFileSync, linkSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

import { takeNumbers } from './counter.ts'
import { fsyncPath, fsyncTree, move, sweep, token } from '../system/durable.ts'
import { remove } from '../system/remove.ts'
import { isErrno } from '../base/errno.ts'

/**
 * Copies the tree `from` to the new directory `to` and fsyncs it. Each file is a hard link, a copy where
 * links run out, or made by `give`. `from` must be durable. Names that begin with a dot, and those in
 * `without`, are left out.
 */
export function cloneTree(
  from: string,
  to: string,
  without: readonly string[] = [],
  give: (source: string, target: string) => void = linkOrCopy,
): void {
  mkdirSync(to)
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    if (entry.name.startsWith('.') || without.includes(entry.name)) continue
    const [source, target] = [join(from, entry.name), join(to, entry.name)]
    if (entry.isDirectory()) cloneTree(source, target, [], give)
    else if (entry.isFile()) give(source, target)
  }
  fsyncPath(to)
}

/** Gives a durable file one more name; a durable copy where it has as many as the file system allows. */
export function linkOrCopy(source: string, target: string): void {
  try {
    linkSync(source, target)
  } catch (error) {
    if (!isErrno(error, 'EMLINK', 'EXDEV', 'EPERM', 'ENOTSUP')) throw error
    copy(source, target)
  }
}

/** Makes a durable copy of a file. */
export function copy(source: string, target: string): void {
  copyFileSync(source, target)
  fsyncPath(target)
}

/**
 * Makes copies of `from` in a directory, each named by the next number of the counter and its suffix, and
 * fsyncs them. Each copy appears under its name when it is complete; after an error there is none. Returns
 * the names.
 */
export function cloneWithNumbers(ctr: string, from: string, directory: string, suffixes: string[]): string[] {
  fsyncTree(from)
  const first = takeNumbers(ctr, suffixes.length)
  const names = suffixes.map((suffix, i) => `${first + i}${suffix}`)
  const hidden = names.map(name => join(directory, `.${name}.${token()}`))
  const shown: string[] = []
  try {
    for (const clone of hidden) cloneTree(from, clone)
    for (const [i, clone] of hidden.entries()) {
      const path = join(directory, names[i]!)
      move(clone, path)
      shown.push(path)
    }
    fsyncPath(directory)
  } catch (error) {
    shown.forEach(sweep)
    hidden.forEach(remove)
    throw error
  }
  return names
}
