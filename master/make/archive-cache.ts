// A cache of finished archives, each under a name made of all its inputs, to be linked into tasks. A file
// there is complete and durable as soon as it has its name. A missing or removed file only costs making it
// again.

import { createHash } from 'node:crypto'
import {
  closeSync,
  fstatSync,
  fsync,
  lstatSync,
  mkdtempSync,
  openSync,
  rmdirSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { linkOnce, token } from '../../lib/system/durable.ts'
import { mustListAll } from '../../lib/system/listing.ts'
import { remove } from '../../lib/system/remove.ts'
import { ignoringENOENT, tolerating } from '../../lib/base/errno.ts'

/** How long an archive stays that no task has, in milliseconds, and how often to look for such. */
const KEEP = 24 * 3600_000
const LOOK_AGAIN = 3600_000

const LOCK = '.lock'
const SCRATCH = '.scratch-'

/** Makes a directory beside the archives for what one of them needs while it is made. The caller removes it. */
export const makeScratch = (directory: string): string => mkdtempSync(join(directory, SCRATCH))

/** Being made by this process: path to what it will be. */
const making = new Map<string, Promise<string>>()

/**
 * The path of the archive that is made of `ingredients`; if it is not there, `make` writes it to a file that is open for
 * it. Two makers seldom do the same at once, but may.
 */
export function cachedArchive(
  directory: string,
  ingredients: readonly string[],
  make: (fd: number) => Promise<void>,
): Promise<string> {
  const key = createHash('sha256').update(ingredients.join('\0')).digest('hex').slice(0, 32)
  const path = join(directory, key)
  const found = making.get(path)
  if (found) return found
  if (isThere(path)) return Promise.resolve(path)
  const made = alone(path, async () => {
    if (!isThere(path)) forgetUnused(directory, await makeFile(directory, key, make))
    return path
  }).finally(() => making.delete(path))
  making.set(path, made)
  return made
}

// A look-up may be wrong: then the archive is made once too often, or the link to it fails and all is tried again.
const isThere = (path: string): boolean => ignoringENOENT(() => lstatSync(path)) !== undefined

/** Does `work` while no other process does it for the same path; if that cannot be had, in good time, does it all the same. */
async function alone<T>(path: string, work: () => Promise<T>): Promise<T> {
  const release = await tryLock(path)
  try {
    return await work()
  } finally {
    try {
      await release?.()
    } catch {
      // Somebody took it from us.
    }
  }
}

async function tryLock(path: string): Promise<(() => void | Promise<void>) | undefined> {
  const { lock, lockSync } = await import('proper-lockfile')
  const options = {
    realpath: false,
    lockfilePath: path + LOCK,
    stale: 5000,
    update: 2000,
    onCompromised: () => undefined,
  }
  try {
    // Hardly ever is anyone else at it, and then this takes a fraction of the time.
    return lockSync(path, options)
  } catch {
    try {
      // Ten seconds at most: longer than a lock lasts whose owner has died.
      const retries = { retries: 100, factor: 1, minTimeout: 100, maxTimeout: 100 }
      return await lock(path, { ...options, retries })
    } catch {
      // It only saves work.
      return undefined
    }
  }
}

/**
 * Makes an archive under a private name and renames it when it is durable. Returns its time by the file
 * server's clock.
 */
async function makeFile(
  directory: string,
  key: string,
  make: (fd: number) => Promise<void>,
): Promise<number> {
  const mine = join(directory, `.${key}.${token()}`)
  const fd = openSync(mine, 'wx')
  try {
    let time
    try {
      await make(fd)
      await promisify(fsync)(fd)
      time = fstatSync(fd).mtimeMs
    } finally {
      closeSync(fd)
    }
    linkOnce(mine, join(directory, key))
    return time
  } finally {
    ignoringENOENT(() => unlinkSync(mine))
  }
}

/** Removes the archives that are older than a day and in no task, and what makers left that were killed. Once an hour. */
function forgetUnused(directory: string, now: number): void {
  const stamp = join(directory, '.forgotten')
  const last = ignoringENOENT(() => lstatSync(stamp))?.mtimeMs ?? 0
  if (now - last < LOOK_AGAIN) return
  ignoringENOENT(() => unlinkSync(stamp))
  writeFileSync(stamp, '')
  for (const name of mustListAll(directory)) {
    const path = join(directory, name)
    const stat = ignoringENOENT(() => lstatSync(path))
    if (!stat || now - stat.mtimeMs < KEEP) continue
    if (stat.isFile() && stat.nlink === 1) ignoringENOENT(() => unlinkSync(path))
    if (stat.isDirectory() && name.startsWith(SCRATCH)) remove(path)
    if (stat.isDirectory() && name.endsWith(LOCK)) tolerating(['ENOENT', 'ENOTEMPTY'], () => rmdirSync(path))
  }
}
