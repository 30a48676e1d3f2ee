// How much runs hold: the sum of their files, read with some git processes for all runs together.

import { GitError } from '../../../lib/git/process.ts'
import { parseTree } from '../../../lib/git/tree.ts'
import type { GitObject } from '../../../lib/git/objects.ts'
import type { TreeEntry } from '../../../lib/git/tree.ts'
import { describeObjects, readObjects } from '../runs/objects.ts'

const isTree = ({ kind }: TreeEntry) => kind === 'directory'
const isBlob = ({ kind }: TreeEntry) => kind !== 'directory' && kind !== 'submodule'

/**
 * Bytes by the id of the run's commit; what is not in this repository is not there. A run of which something is missing, or with a tree
 * that git would not have made, which others may push, is `damaged`: it can be removed all the same. Throws GitError.
 */
export async function sizesOf(
  repository: string,
  ids: readonly string[],
): Promise<Map<string, number | 'damaged'>> {
  const roots = await readObjects(
    repository,
    ids.map(id => `${id}^{tree}`),
  )
  const trees = await readTrees(repository, roots)
  const blobs = new Set<string>()
  for (const entries of trees.values())
    for (const entry of entries ?? []) if (isBlob(entry)) blobs.add(entry.id)
  const sizes = await blobSizes(repository, [...blobs])
  const sums = new Map<string, number>()
  // NaN, which no sum gets rid of, where a tree is damaged or something is missing.
  const sizeIn = (entry: TreeEntry) => (isBlob(entry) ? (sizes.get(entry.id) ?? NaN) : 0)
  const sum = (tree: string): number => {
    const known = sums.get(tree)
    if (known !== undefined) return known
    const parts = trees.get(tree)?.map(entry => (isTree(entry) ? sum(entry.id) : sizeIn(entry)))
    const total = parts?.reduce((a, b) => a + b, 0) ?? NaN
    sums.set(tree, total)
    return total
  }
  const sizeOf = (tree: string) => (Number.isNaN(sum(tree)) ? 'damaged' : sum(tree))
  return new Map(ids.flatMap((id, i) => (roots[i] === undefined ? [] : [[id, sizeOf(roots[i].id)] as const])))
}

/** The entries of these trees and of all below them, by id, none of one that is damaged: one process for each level. */
async function readTrees(
  repository: string,
  roots: readonly (GitObject | undefined)[],
): Promise<Map<string, TreeEntry[] | undefined>> {
  const trees = new Map<string, TreeEntry[] | undefined>()
  for (let level = roots; level.length > 0;) {
    const below = new Set<string>()
    for (const object of level) {
      if (object === undefined || trees.has(object.id)) continue
      const entries = entriesOf(object)
      trees.set(object.id, entries)
      for (const entry of entries ?? []) if (isTree(entry)) below.add(entry.id)
    }
    level = await readObjects(
      repository,
      [...below].filter(id => !trees.has(id)),
    )
  }
  return trees
}

/** None where it is no tree; undefined where it is a damaged one. */
function entriesOf({ id, type, body }: GitObject): TreeEntry[] | undefined {
  try {
    return type === 'tree' ? parseTree(body, id.length, '') : []
  } catch (error) {
    if (error instanceof GitError) return undefined
    throw error
  }
}

/** The sizes of those blobs that are there. */
async function blobSizes(repository: string, ids: readonly string[]): Promise<Map<string, number>> {
  const lines = await describeObjects(repository, '%(objectsize)', ids)
  return new Map(
    ids.flatMap((id, i) => (/^\d+$/.test(lines[i] ?? '') ? [[id, Number(lines[i])] as const] : [])),
  )
}
