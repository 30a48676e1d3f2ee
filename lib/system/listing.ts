// Listings. DESIGN: a listing that succeeded is the truth; one that failed proves nothing. So there are two kinds: of
// what must be there, and of what may be missing, for which ENOENT is an answer. All other errors are thrown by both.

import { readdirSync } from 'node:fs'
import type { Dirent } from 'node:fs'
import { basename, dirname } from 'node:path'

import { isErrno } from '../base/errno.ts'
import { isLocal } from './local.ts'
import type { Path } from '../base/brand.ts'

/**
 * A fresh listing, with the names that begin with a dot, of a directory that must be there. It throws any error, ENOENT
 * as well: what cannot be listed proves nothing, and nothing may be concluded to be absent, over or rubbish from it.
 */
export function mustListAll(directory: Path): string[] {
  return askingAgain(() => readdirSync(directory))
}

/** As `mustListAll`, without the names that begin with a dot. */
export const mustList = (directory: Path): string[] => mustListAll(directory).filter(isVisible)

/**
 * A fresh listing, with the names that begin with a dot, of a directory that may be missing: then it has none. That is
 * believed where its parent does not list it either, or the kernel knows. Throws any other error, as `mustListAll` does.
 */
export const listAllIfThere = (directory: Path): string[] => ifThere(directory, () => readdirSync(directory))

/** As `listAllIfThere`, without the names that begin with a dot. */
export const listIfThere = (directory: Path): string[] => listAllIfThere(directory).filter(isVisible)

/** As `listIfThere`, with the kind of each entry. */
export const entriesIfThere = (directory: Path): Dirent[] =>
  ifThere(directory, () => readdirSync(directory, { withFileTypes: true })).filter(({ name }) =>
    isVisible(name),
  )

function ifThere<T>(directory: Path, list: () => T[]): T[] {
  try {
    return askingAgain(list)
  } catch (error) {
    if (isErrno(error, 'ENOTDIR') || (isErrno(error, 'ENOENT') && !isRumour(directory))) return []
    throw error
  }
}

const isVisible = (name: string) => !name.startsWith('.')

/** True if a directory that a look-up did not find is listed: an NFS client may go on saying that it is missing. */
function isRumour(directory: Path): boolean {
  const parent = dirname(directory)
  return parent !== directory && !isLocal(parent) && listAllIfThere(parent).includes(basename(directory))
}

/** How often a call is made that says ESTALE: the first time an NFS client may have gone by an old handle. */
const STALE_TRIES = 3

/** Makes a call that only looks; again if it says ESTALE, which is no answer. */
export function askingAgain<T>(look: () => T): T {
  for (let tries = 1; ; tries++) {
    try {
      return look()
    } catch (error) {
      if (tries === STALE_TRIES || !isErrno(error, 'ESTALE')) throw error
    }
  }
}
