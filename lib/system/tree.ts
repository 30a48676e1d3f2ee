// The tree that this program was loaded from, and, where `bass deploy` put it there, what stands in its place today:
//   DIR/.trees/NAME     a tree; the whole of it is there before anything leads to it, and it is never changed
//   DIR/.trees/current  a symlink to one of them, replaced by one rename
//   DIR/bin ...         symlinks through current, so that DIR/slave/bin/task-taker stays what people type
// A launcher follows the symlinks once. What it started stays in its own tree until it ends.

import { readlinkSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'

import { ROOT } from '../base/root.ts'
import { listAllIfThere } from './listing.ts'
import { tolerating } from '../base/errno.ts'
import { say } from './log.ts'

export const TREES = '.trees'
export const CURRENT = 'current'

/** Whether `bass deploy` put our tree where it is. */
const isDeployed = basename(dirname(ROOT)) === TREES

/** The directory to start programs from, now and after the next `bass deploy`. */
export const HOME = isDeployed ? resolve(ROOT, '../..') : ROOT

/** The directories that change when our tree is replaced, for `watch`. */
export const TREE_DIRECTORIES: readonly string[] = isDeployed ? [dirname(ROOT)] : []

/** The name of the tree that `current` in the directory `trees` leads to. */
export function currentTree(trees: string): string | undefined {
  // An NFS client may answer for the link from its cache; after a listing that shows a change it asks again.
  listAllIfThere(trees)
  return tolerating(['ENOENT', 'ESTALE', 'EINVAL'], () => readlinkSync(join(trees, CURRENT)))
}

/**
 * True once another tree stands in the place of ours, and says so: a program that runs for long ends where it can be
 * spared, with 0, and whatever keeps it running starts the new one.
 */
export function isReplaced(): boolean {
  if (!isDeployed) return false
  const now = currentTree(dirname(ROOT))
  if (now === undefined || now === basename(ROOT)) return false
  say('info', `ending, for '${HOME}' has a new tree to be started from`)
  return true
}
