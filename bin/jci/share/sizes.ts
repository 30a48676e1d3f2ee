// How much runs hold: the sum of their files, read with some git processes for all runs together.

import { parseTree } from '../../../lib/git/tree.ts'
import type { GitObject } from '../../../lib/git/objects.ts'
import type { TreeEntry } from '../../../lib/git/tree.ts'
import { gitOutput } from '../../../lib/jci/git-process.ts'
import { readObjects } from '../runs/objects.ts'

const isTree = ({ kind }: TreeEntry) => kind === 'directory'

/** Bytes by the id of the run's commit; what is not in this repository has none. Throws GitError. */
export async function sizesOf(repository: string, ids: readonly string[]): Promise<Map<string, number>> {
  const roots = await readObjects(
    repository,
    ids.map(id => `${id}^{tree}`),
  )
  const trees = await readTrees(repository, roots)
  const blobs = new Set<string>()
  for (const entries of trees.values()) for (const entry of entries) if (!isTree(entry)) blobs.add(entry.id)
  const sizes = await blobSizes(repository, [...blobs])
  const sums = new Map<string, number>()
  const sum = (tree: string): number => {
    let total = sums.get(tree)
    if (total !== undefined) return total
    total = (trees.get(tree) ?? []).reduce(
      (sofar, entry) => sofar + (isTree(entry) ? sum(entry.id) : (sizes.get(entry.id) ?? 0)),
      0,
    )
    sums.set(tree, total)
    return total
  }
  return new Map(ids.flatMap((id, i) => (roots[i] === undefined ? [] : [[id, sum(roots[i].id)] as const])))
}

/** The entries of these trees and of all below them, by id: one process for each level. */
async function readTrees(
  repository: string,
  roots: readonly (GitObject | undefined)[],
): Promise<Map<string, TreeEntry[]>> {
  const trees = new Map<string, TreeEntry[]>()
  for (let level = roots; level.length > 0;) {
    const below = new Set<string>()
    for (const object of level) {
      if (object === undefined || trees.has(object.id)) continue
      const entries = object.type === 'tree' ? parseTree(object.body, object.id.length, '') : []
      trees.set(object.id, entries)
      for (const entry of entries) if (isTree(entry)) below.add(entry.id)
    }
    level = await readObjects(
      repository,
      [...below].filter(id => !trees.has(id)),
    )
  }
  return trees
}

async function blobSizes(repository: string, ids: readonly string[]): Promise<Map<string, number>> {
  if (ids.length === 0) return new Map()
  const args = ['cat-file', '--buffer', '--batch-check=%(objectname) %(objectsize)']
  const text = await gitOutput(repository, args, { input: ids.join('\n') + '\n' })
  return new Map(
    text.split('\n').map(line => [line.split(' ')[0]!, Number(line.split(' ')[1]) || 0] as const),
  )
}
