// Lists a tree of files, and compares two such lists. No watcher is believed: one misses what
// happens before it watches, and in new directories. Names are bytes, here as strings of one character for each.

import { createHash } from 'node:crypto'
import { lstatSync, readdirSync, readFileSync } from 'node:fs'
import type { BigIntStats } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

import { ignoringENOENT, isErrno, tolerating } from '../base/errno.ts'
import { breather } from '../system/breath.ts'

export type Kind = 'file' | 'directory' | 'symlink'

export interface Listed {
  readonly kind: Kind
  readonly mode: number
  readonly size: number
  readonly mtime: bigint
  readonly ctime: bigint
  readonly ino: bigint
  /** Of content whose next change its times might not show. */
  hash?: string
}

/** By the name below the root. */
export type Listing = ReadonlyMap<string, Listed>

export interface FileChange {
  readonly name: string
  readonly what: 'new' | 'changed' | 'mode' | 'deleted'
}

/** A path of bytes for the file system. */
export const toPath = (name: string): string | Buffer =>
  /^[\0-\x7f]*$/.test(name) ? name : Buffer.from(name, 'latin1')

/** The name of a path as bytes. */
export const toName = (path: string): string => Buffer.from(path).toString('latin1')

/** Is told of what may not be read: its name, and the error. */
export type OnUnreadable = (name: string, error: unknown) => void

/** For where all has to be read. */
export const rethrow: OnUnreadable = (_, error) => {
  throw error
}

/** Answers what `look` does; undefined where that is not allowed, when `onUnreadable` has been told. */
function readableAt<T>(name: string, onUnreadable: OnUnreadable, look: () => T): T | undefined {
  try {
    return look()
  } catch (error) {
    if (!isErrno(error, 'EACCES', 'EPERM')) throw error
    onUnreadable(name, error)
    return undefined
  }
}

/**
 * Lists what is below a root; a root that is not there holds nothing. What is neither file, directory nor link is left out, and
 * so is what may not be looked at, if `onUnreadable` does not throw.
 */
export async function listTree(root: string, onUnreadable = rethrow): Promise<Listing> {
  const listing = new Map<string, Listed>()
  const breathe = breather()
  let looks = 0
  const bytes = toName(root)
  const walk = async (directory: string): Promise<void> => {
    const at = directory === '' ? bytes : `${bytes}/${directory}`
    // What is removed meanwhile is not there.
    const names = readableAt(directory, onUnreadable, () =>
      tolerating(['ENOENT', 'ENOTDIR'], () => readdirSync(toPath(at), 'latin1')),
    )
    for (const base of names ?? []) {
      const name = directory === '' ? base : `${directory}/${base}`
      const stat = readableAt(name, onUnreadable, () =>
        ignoringENOENT(() => lstatSync(toPath(`${bytes}/${name}`), { bigint: true })),
      )
      const kind = stat && kindOf(stat)
      if (!kind) continue
      listing.set(name, {
        kind,
        mode: Number(stat.mode) & 0o7777,
        size: Number(stat.size),
        mtime: stat.mtimeNs,
        ctime: stat.ctimeNs,
        ino: stat.ino,
      })
      if (kind === 'directory') await walk(name)
      // An `await` for each name would take as long as the look at it.
      if (++looks % 64 === 0) await breathe()
    }
  }
  await walk('')
  return listing
}

function kindOf(stat: BigIntStats): Kind | undefined {
  return stat.isFile()
    ? 'file'
    : stat.isDirectory()
      ? 'directory'
      : stat.isSymbolicLink()
        ? 'symlink'
        : undefined
}

const MILLISECOND = 1_000_000n

/** The longest tick of a kernel's clock, and of a file system that knows only seconds, with some more; in milliseconds. */
const CLOCK_TICK_MS = 25
const COARSE = 2100

/**
 * The listing that later changes are told from: waits until the times of files would show one. Where they might not, because
 * the file system knows only seconds or has a slow clock, the content of the newest is remembered. No clock of ours is asked,
 * which may be another than that of the files.
 */
export async function listBefore(root: string): Promise<Listing> {
  const listing = await listTree(root)
  const files = [...listing.entries()].filter(([, { kind }]) => kind === 'file')
  if (files.length === 0) return listing
  const coarse = files.every(([, { ctime }]) => ctime % (1000n * MILLISECOND) === 0n)
  const newest = files.reduce((newest, [, { ctime }]) => (ctime > newest ? ctime : newest), 0n)
  const unsure = newest - BigInt(coarse ? COARSE : CLOCK_TICK_MS) * MILLISECOND
  for (const [name, listed] of files) if (listed.ctime >= unsure) listed.hash = hashOf(root, name)
  if (!coarse) await sleep(CLOCK_TICK_MS)
  return listing
}

function hashOf(root: string, name: string): string {
  const content = tolerating(['ENOENT', 'EACCES', 'ERR_FS_FILE_TOO_LARGE'], () =>
    readFileSync(toPath(`${toName(root)}/${name}`)),
  )
  return createHash('sha256')
    .update(content ?? '')
    .digest('hex')
}

/** The changes below `root` between two listings: first what is there now, in its order, then what is gone. */
export function changesOf(root: string, before: Listing, after: Listing): FileChange[] {
  const changes: FileChange[] = []
  for (const [name, now] of after) {
    const was = before.get(name)
    const what = was === undefined ? 'new' : changeOf(was, now, () => hashOf(root, name))
    if (what) changes.push({ name, what })
  }
  for (const name of before.keys()) if (!after.has(name)) changes.push({ name, what: 'deleted' })
  return changes
}

function changeOf(was: Listed, now: Listed, hash: () => string): 'changed' | 'mode' | undefined {
  if (was.kind !== now.kind) return 'changed'
  if (now.kind === 'directory') return was.mode === now.mode ? undefined : 'mode'
  const same = was.size === now.size && was.mtime === now.mtime && was.ino === now.ino
  // Whoever sets the time of a file back changes this one, which nobody can set; so do a new mode and a new link.
  if (same && was.ctime === now.ctime)
    return was.hash !== undefined && was.hash !== hash() ? 'changed' : undefined
  return same && was.mode !== now.mode && (was.hash === undefined || was.hash === hash()) ? 'mode' : 'changed'
}
