// Private directories for temporary files, each with a word about whose it is: what a process left that was killed, the next
// one of its kind removes.

import { lstatSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { tolerating } from '../base/errno.ts'
import { readIfThere } from '../system/durable.ts'
import { remove } from '../system/remove.ts'
import { isGone, self } from '../system/process.ts'
import type { Identity } from '../system/process.ts'

/** The file that says who made it. */
const OWNER = 'owner'

/** Who made a directory without that word was killed at once, if it is as old as this, in milliseconds. */
const ABANDONED = 600_000

/** Errors that mean that others have files there too. */
const NOT_OURS = ['ENOENT', 'ENOTDIR', 'ENOTEMPTY', 'EACCES', 'EPERM', 'EBUSY', 'ELOOP'] as const

/** Makes one in `parent`, whose name begins so; removes those of that prefix, made by this user, whose maker is gone. */
export function makeOwnDirectory(prefix: string, parent = tmpdir()): string {
  for (const name of tolerating(NOT_OURS, () => readdirSync(parent)) ?? []) {
    const path = join(parent, name)
    if (name.startsWith(prefix) && tolerating(NOT_OURS, () => isLeft(path)))
      tolerating(NOT_OURS, () => remove(path))
  }
  const path = mkdtempSync(join(parent, prefix))
  writeFileSync(join(path, OWNER), JSON.stringify(self()))
  return path
}

function isLeft(path: string): boolean {
  const stat = lstatSync(path)
  // In one that others may write, what is removed might be exchanged meanwhile.
  if (!stat.isDirectory() || stat.uid !== process.getuid?.() || (stat.mode & 0o077) !== 0) return false
  const owner = readOwner(join(path, OWNER))
  if (owner) return isGone(owner)
  return readdirSync(path).every(name => name === OWNER) && Date.now() - stat.mtimeMs > ABANDONED
}

/** Undefined if nobody said it, or was killed on the way. */
function readOwner(path: string): Identity | undefined {
  try {
    const owner = JSON.parse(readIfThere(path) ?? 'null') as Identity | null
    return typeof owner?.boot === 'string' ? owner : undefined
  } catch {
    return undefined
  }
}
