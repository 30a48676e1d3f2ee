// Goes through a tree, in git's order: a directory comes before what is in it.

import type { TreeEntry } from './tree.ts'

/** So many directories are asked for before they are needed: an answer takes longer than a question. */
const AHEAD = 64

interface Trees {
  entries(id: string, prefix: string): Promise<TreeEntry[]>
}

/** Shows every entry of a commit's tree, or of any tree, to `visit`, and waits where that answers a promise. */
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
