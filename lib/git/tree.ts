// Tree objects. Names are bytes: each is a string of one character per byte (latin1), as in the archives.

import { quote } from '../base/exit.ts'
import { GitError } from './process.ts'

export interface TreeEntry {
  readonly kind: 'file' | 'executable' | 'link' | 'directory' | 'submodule'
  /** Its path, of bytes as in latin1. */
  readonly name: string
  readonly id: string
}

/** The entries of a tree object in git's order, each below `prefix`, which ends with a slash or is empty. Pure. */
export function parseTree(body: Buffer, idLength: number, prefix: string): TreeEntry[] {
  const entries: TreeEntry[] = []
  for (let at = 0; at < body.length;) {
    const blank = body.indexOf(0x20, at)
    const nul = body.indexOf(0, blank)
    const end = nul + 1 + idLength / 2
    if (blank < 0 || nul < 0 || end > body.length) throw new GitError('it has a damaged tree')
    const name = body.toString('latin1', blank + 1, nul)
    // Git writes none of these, but stores what it is given.
    if (/^\.{0,2}$|\//.test(name)) throw new GitError(`it has a tree with the impossible name ${quote(name)}`)
    entries.push({
      kind: kindOf(parseInt(body.toString('latin1', at, blank), 8)),
      name: prefix + name,
      id: body.toString('hex', nul + 1, end),
    })
    at = end
  }
  return entries
}

function kindOf(mode: number): TreeEntry['kind'] {
  const type = mode >> 12
  if (type === 0o04) return 'directory'
  if (type === 0o12) return 'link'
  if (type === 0o16) return 'submodule'
  if (type !== 0o10) throw new GitError(`it has an entry of the unknown mode ${mode.toString(8)}`)
  return mode & 0o111 ? 'executable' : 'file'
}
