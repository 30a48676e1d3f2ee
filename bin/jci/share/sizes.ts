// How much runs hold: the sum of their files, read with some git processes for all runs together.

import { parseTree } from '../../../lib/git/tree.ts'
import type { TreeEntry } from '../../../lib/git/tree.ts'
import { gitOutput } from '../../../lib/jci/git-process.ts'
import { readObjects } from '../runs/objects.ts'

const isTree = ({ kind }: TreeEntry) => kind === 'directory'

/** Bytes by the id of the run's commit; what is not in this repository has none. Throws GitError. */
export async function sizesOf(repository: string, ids: readonly string[]): Promise<Map<string, number>> {
  const commits = await readObjects(repository, ids)
  const roots = commits.map(commit => /^tree ([0-9a-f]+)/.exec(commit?.body.toString('latin1') ?? '')?.[1])
  const trees = await readTrees(
    repository,
    roots.filter(root => root !== undefined),
  )
  const blobs = [
    ...new Set(
      [...trees.values()]
        .flat()
        .filter(entry => !isTree(entry))
        .map(entry => entry.id),
    ),
  ]
  const sizes = await blobSizes(repository, blobs)
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
  return new Map(ids.flatMap((id, i) => (roots[i] === undefined ? [] : [[id, sum(roots[i])] as const])))
}

/** All trees below some, by id: one process for each level. */
async function readTrees(repository: string, roots: readonly string[]): Promise<Map<string, TreeEntry[]>> {
  const trees = new Map<string, TreeEntry[]>()
  let level = [...new Set(roots)]
  while (level.length > 0) {
    const objects = await readObjects(repository, level)
    level.forEach((id, i) =>
      trees.set(id, objects[i]?.type === 'tree' ? parseTree(objects[i].body, id.length, '') : []),
    )
    const below = level.flatMap(id =>
      trees
        .get(id)!
        .filter(entry => isTree(entry))
        .map(entry => entry.id),
    )
    level = [...new Set(below)].filter(id => !trees.has(id))
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
