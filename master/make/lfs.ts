// Git LFS: a small file in the tree, the pointer, names the content, which is beside the repository or on a server.

import { statSync } from 'node:fs'
import { join, resolve } from 'node:path'

import type { Packer } from '../../lib/bundle/pack.ts'
import { tolerating } from '../../lib/base/errno.ts'
import { quoteBytes } from '../../lib/bundle/tar.ts'
import { GitError } from '../../lib/git/process.ts'
import type { Repository } from '../../lib/git/repository.ts'
import type { TreeEntry } from '../../lib/git/tree.ts'

/** A pointer is shorter than this, by its specification. */
const POINTER_MAX = 1024

export interface Pointer {
  /** The SHA-256 of the content. */
  readonly oid: string
  /** Its bytes. */
  readonly size: number
}

/** Parses a pointer; undefined if this is none. Pure. */
export function parsePointer(text: string): Pointer | undefined {
  if (text.length > POINTER_MAX || !text.startsWith('version https://git-lfs.github.com/spec/v1\n'))
    return undefined
  const oid = /^oid sha256:([0-9a-f]{64})$/m.exec(text)?.[1]
  const size = /^size (\d{1,15})$/m.exec(text)?.[1]
  return oid !== undefined && size !== undefined ? { oid, size: Number(size) } : undefined
}

/** Packs the content of a pointer instead of it; false if the file is none. Throws GitError if the content is not to be had. */
export async function packContent(
  repository: Repository,
  entry: TreeEntry,
  packer: Packer,
): Promise<boolean> {
  const blob = await repository.blob(entry.id, POINTER_MAX)
  const pointer = parsePointer(blob?.toString('latin1') ?? '')
  if (!pointer) return false
  const mode = entry.kind === 'executable' ? 0o755 : 0o644
  await packer.disk(entry.name, await pathOf(repository, pointer, entry.name, blob!), mode, pointer.size)
  return true
}

/** The file that holds the content. Where it is missing, git-lfs is asked to fetch it. */
async function pathOf(
  repository: Repository,
  { oid }: Pointer,
  name: string,
  pointer: Buffer,
): Promise<string> {
  const place = String(await repository.run(['rev-parse', '--git-common-dir'])).trimEnd()
  const path = join(
    resolve(repository.path ?? '.', place),
    'lfs/objects',
    oid.slice(0, 2),
    oid.slice(2, 4),
    oid,
  )
  const isThere = () => tolerating(['ENOENT', 'ENOTDIR'], () => statSync(path)) !== undefined
  if (isThere()) return path
  try {
    await repository.fetchLfs(pointer)
  } catch (error) {
    if (!(error instanceof GitError)) throw error
    throw new GitError(`the LFS content of ${quoteBytes(name)} cannot be fetched: ${error.message}`)
  }
  if (isThere()) return path
  throw new GitError(`the LFS content of ${quoteBytes(name)} is not there`)
}
