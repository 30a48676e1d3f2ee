// Goes through trees, by the one process that looks objects up.

import { GitError } from './process.ts'
import type { TreeEntry } from './tree.ts'

/** So many directories are asked for before they are needed: an answer takes longer than a question. */
const AHEAD = 64

/** More entries than any checkout has: a small tree can name a larger one again and again. */
export const ENTRIES_MAX = 1_000_000

interface Trees {
  entries(id: string, prefix: string): Promise<TreeEntry[]>
}

/**
 * Shows every entry of a commit's tree, or of any tree, to `visit`, and waits where that answers a promise. It goes in git's
 * order: a directory comes before what is in it.
 */
export async function walkTree(
  repository: Trees,
  id: string,
  prefix: string,
  visit: (entry: TreeEntry) => void | Promise<void>,
): Promise<void> {
  const walk = async (entries: readonly TreeEntry[]): Promise<void> => {
    const directories = entries.filter(({ kind }) => kind === 'directory')
    const asked: Promise<TreeEntry[]>[] = []
    let next = 0
    for (const entry of entries) {
      const busy = visit(entry)
      if (busy) await busy
      if (entry.kind !== 'directory') continue
      for (; next < directories.length && asked.length < AHEAD; next++) {
        const { id, name } = directories[next]!
        const answer = repository.entries(id, `${name}/`)
        // It is awaited when its turn has come.
        answer.catch(() => undefined)
        asked.push(answer)
      }
      await walk(await asked.shift()!)
    }
  }
  await walk(await repository.entries(id, prefix))
}

/**
 * The paths that differ between two commits or trees, of bytes as in latin1: both of a rename, and those of which only the mode
 * changed. Throws GitError if one of them is not there, or if they have too many entries.
 */
export async function changedPaths(repository: Trees, from: string, to: string): Promise<string[]> {
  const changed: string[] = []
  let seen = 0
  const entriesOf = async (id: string | undefined, prefix: string) => {
    const entries = id === undefined ? [] : await repository.entries(id, prefix)
    seen += entries.length
    if (seen > ENTRIES_MAX) throw new GitError(`they have more than ${ENTRIES_MAX} entries`)
    return new Map(entries.map(entry => [entry.name, entry]))
  }
  const compare = async (from: string | undefined, to: string | undefined, prefix: string): Promise<void> => {
    const [before, after] = await Promise.all([entriesOf(from, prefix), entriesOf(to, prefix)])
    for (const name of new Set([...before.keys(), ...after.keys()])) {
      const [was, is] = [before.get(name), after.get(name)]
      if (was?.id === is?.id && was?.kind === is?.kind) continue
      const [wasTree, isTree] = [was, is].map(entry => (entry?.kind === 'directory' ? entry.id : undefined))
      if ((was && wasTree === undefined) || (is && isTree === undefined)) changed.push(name)
      if (wasTree !== undefined || isTree !== undefined) await compare(wasTree, isTree, `${name}/`)
    }
  }
  await compare(from, to, '')
  return changed
}
