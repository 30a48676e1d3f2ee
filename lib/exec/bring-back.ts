// Brings the changes of a command elsewhere into a directory here, and nowhere else: all is unpacked beside, and each file then
// takes its name in real directories only. No link is followed.

import { createHash } from 'node:crypto'
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmdirSync,
  unlinkSync,
} from 'node:fs'
import { join } from 'node:path'

import { ignoringENOENT, isErrno, reasonOf } from '../base/errno.ts'
import { lasting, quote, temporary } from '../base/exit.ts'
import { BundleError, unpackStream } from '../bundle/bundle.ts'
import { readS2 } from '../bundle/s2.ts'
import type { ExecutorClient } from './client.ts'
import { toName, toPath } from './listing.ts'
import { makeOwnDirectory } from './own-directory.ts'
import type { TaskResult } from './protocol.ts'
import { remove } from '../system/remove.ts'
import { say, warn } from '../system/log.ts'

export interface BringBackOptions {
  /** Most bytes that are brought, unpacked. */
  readonly maxBytes: number
  /** Is told the directory that holds what comes, before that is moved: it may give it to somebody. */
  readonly own?: (directory: string) => Promise<void>
  /** No other entry of `out` changes. */
  readonly only?: string
}

/** What comes is unpacked in a directory whose name begins so. */
const BESIDE = '.bass-exec-'

/** True for a name, of bytes, of what is not yet where it belongs, or was left so by one that was killed. */
export const isBeside = (name: string): boolean => name.split('/').some(part => part.startsWith(BESIDE))

/**
 * Puts what a result tells into `out`; what was deleted is named, and with `deleted` deleted. Throws a lasting error if it is
 * damaged, too large, or leads outside; then nothing is changed.
 */
export async function bringBack(
  client: Pick<ExecutorClient, 'fetch'>,
  result: TaskResult,
  out: string,
  deleted: 'named' | 'deleted' | 'ignored',
  { maxBytes, own, only }: BringBackOptions,
): Promise<void> {
  if (result.archive !== '') {
    const beside = makeOwnDirectory(BESIDE, out)
    const content = join(beside, 'content')
    const modes = new Map<string, number>()
    try {
      mkdirSync(content, { mode: 0o700 })
      const tar = readS2(checked(client.fetch(result.archive), result.archiveSha256, packedMax(maxBytes)))
      await unpackStream(tar, content, {
        maxBytes,
        leftOut: why => say('warning', `left out: ${why}`),
        onDirectory: (name, mode) => modes.set(name, mode),
      })
      await own?.(content)
      moveInto(toName(content), toName(out), { modes, only })
    } catch (error) {
      if (error instanceof BundleError) throw lasting('bring back what it changed', error)
      if ((error as NodeJS.ErrnoException).syscall === undefined) throw error
      throw temporary(`bring back what it changed into ${quote(out)}`, error)
    } finally {
      remove(beside)
    }
  }
  const names = result.deleted.map(bytes => bytes.toString('latin1'))
  // The entries of a directory come before it.
  if (deleted === 'deleted') for (const name of names.reverse()) erase(toName(out), name)
  if (deleted === 'named') nameDeleted(names)
}

/** So many of what was deleted are named. */
const NAMED = 20

/** Names what was deleted; of a directory with all that was in it, that one alone. */
function nameDeleted(names: readonly string[]): void {
  const all = new Set(names)
  const above = (name: string) => name.slice(0, Math.max(0, name.lastIndexOf('/')))
  const tops = names.filter(name => !all.has(above(name)))
  for (const name of tops.slice(0, NAMED)) {
    const inside = names.filter(other => other.startsWith(`${name}/`)).length
    const more = inside === 0 ? '' : ` and the ${inside} in it`
    say('info', `it deleted ${quote(Buffer.from(name, 'latin1').toString())}${more}`)
  }
  if (tops.length > NAMED) say('info', `it deleted ${tops.length - NAMED} more`)
}

/** Most bytes that so many can have in an archive. Without a bound, one of nothing but padding would have no end. */
const packedMax = (bytes: number) => bytes + bytes / 64 + (1 << 20)

/** The bytes of an archive; throws at their end if they are not those that were packed. */
async function* checked(
  source: AsyncIterable<Buffer>,
  sha256: Buffer,
  maxBytes: number,
): AsyncGenerator<Buffer, void> {
  const hash = createHash('sha256')
  let size = 0
  for await (const bytes of source) {
    // A message without bytes counts as well.
    if ((size += bytes.length + 1) > maxBytes) throw new BundleError('it is larger than BUNDLE_MAX allows')
    hash.update(bytes)
    yield bytes
  }
  if (!hash.digest().equals(sha256))
    throw temporary('bring back what it changed', 'the archive was damaged on its way')
}

interface Move {
  /** The mode of each directory that has one to be brought, by its name below the uppermost. */
  readonly modes: ReadonlyMap<string, number>
  /** As of `bringBack`. */
  readonly only?: string | undefined
  /** The name of this directory, with a slash, below the uppermost. */
  readonly within?: string
}

/** Moves what is in a directory into another one, in the place of what has that name there. */
function moveInto(from: string, to: string, { modes, only, within = '' }: Move): void {
  for (const name of readdirSync(toPath(from), 'latin1')) {
    if (only !== undefined && name !== only) continue
    const whole = `${within}${name}`
    const [source, target] = [`${from}/${name}`, `${to}/${name}`]
    const isDirectory = lstatSync(toPath(source)).isDirectory()
    const there = ignoringENOENT(() => lstatSync(toPath(target)))
    if (isDirectory && there?.isDirectory()) {
      moveInto(source, target, { modes, within: `${whole}/` })
      setMode(target, modes.get(whole))
    } else if (!isDirectory && there?.isDirectory()) {
      warn('bring back', Buffer.from(name, 'latin1').toString(), 'there is a directory of that name')
    } else {
      if (isDirectory && there) unlinkSync(toPath(target))
      renameSync(toPath(source), toPath(target))
    }
  }
}

/** Gives a directory these permissions, if any; what the archive does not say of its mode stays. */
function setMode(path: string, mode: number | undefined): void {
  if (mode === undefined) return
  try {
    const fd = openSync(toPath(path), constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
    try {
      const now = fstatSync(fd).mode & 0o7777
      if ((now & 0o777) !== mode) fchmodSync(fd, (now & 0o7000) | mode)
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    warn('bring back the mode of', Buffer.from(path, 'latin1').toString(), error)
  }
}

/** Deletes a file, a link or an empty directory, if the way to it leads through directories alone. */
function erase(out: string, name: string): void {
  const parts = name.split('/')
  const isReal = (path: string) => ignoringENOENT(() => lstatSync(toPath(path)))?.isDirectory() === true
  if (parts.some(part => ['', '.', '..'].includes(part)) || name.includes('\0')) return
  const path = `${out}/${name}`
  try {
    for (let i = 1; i < parts.length; i++) if (!isReal(`${out}/${parts.slice(0, i).join('/')}`)) return
    if (isReal(path)) rmdirSync(toPath(path))
    else ignoringENOENT(() => unlinkSync(toPath(path)))
  } catch (error) {
    if (!isErrno(error, 'ENOTEMPTY', 'EEXIST'))
      warn('delete', Buffer.from(name, 'latin1').toString(), reasonOf(error))
  }
}
