// Many objects of a repository, read with one git process.

import { gitEnvironment, startGit } from '../../../lib/git/process.ts'
import { Objects } from '../../../lib/git/objects.ts'
import type { GitObject } from '../../../lib/git/objects.ts'

/** The objects of these names, in their order; undefined for those that are not there. All are held in memory. */
export async function readObjects(
  repository: string,
  names: readonly string[],
): Promise<(GitObject | undefined)[]> {
  if (names.length === 0) return []
  const args = ['cat-file', '--batch']
  const start = () => startGit({ place: repository, env: gitEnvironment() }, args, ['pipe', 'pipe', 'pipe'])
  const objects = new Objects(start)
  try {
    return await Promise.all(names.map(name => objects.look(Buffer.from(name).toString('latin1'), Infinity)))
  } finally {
    objects.close()
  }
}
