// Content that a project may ask for beyond the tree of a commit: the content of LFS pointers, its submodules, and a repository.

import { join } from 'node:path'

import type { Instead, Packer } from '../../lib/bundle/pack.ts'
import type { Commit, Repository } from '../../lib/git/repository.ts'
import { packContent } from './lfs.ts'
import { packRepository } from './code-git.ts'
import { packSubmodule } from './submodules.ts'

export interface Extras {
  /** The content of LFS pointers takes their place. */
  readonly lfs: boolean
  /** Submodules are filled. */
  readonly submodules: boolean
  /** So many commits are in the repository that the code comes with; 0 for none. */
  readonly gitDepth: number
}

/** Part of the name of an archive: what it was made with; empty for nothing. Pure. */
export const nameOf = ({ lfs, submodules, gitDepth }: Extras): string =>
  [lfs ? 'lfs' : '', submodules ? 'submodules' : '', gitDepth > 0 ? `git ${gitDepth}` : '']
    .filter(word => word !== '')
    .join(',')

/** Returns what packs them for a commit of the code. `scratch` is a directory for temporary files. */
export function packing(
  extras: Extras,
  code: Repository,
  commit: Commit,
  scratch: string,
): { instead: Instead; behind: ((packer: Packer) => Promise<void>) | undefined } {
  const { lfs, submodules, gitDepth } = extras
  const insteadIn = (repository: Repository, id: string, prefix: string, depth: number): Instead => {
    return entry => {
      if (lfs && (entry.kind === 'file' || entry.kind === 'executable'))
        return packer => packContent(repository, entry, packer)
      if (!submodules || entry.kind !== 'submodule') return undefined
      const below = (inner: Repository) => insteadIn(inner, entry.id, `${entry.name}/`, depth + 1)
      return packer => packSubmodule({ repository, commit: id, prefix, depth, scratch }, entry, packer, below)
    }
  }
  return {
    instead: insteadIn(code, commit.id, '', 0),
    behind:
      gitDepth > 0
        ? packer => packRepository(code, commit, gitDepth, join(scratch, 'git'), packer)
        : undefined,
  }
}
