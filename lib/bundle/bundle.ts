// Unpacks a task's bundle, `code.tar` or `steps.tar`, into a directory of the slave's own. The author of the bundle is not
// trusted: nothing is written outside that directory. Symbolic links are made as git makes them, wherever they lead, and
// nothing is written through one.
//
// Why our own reader: names are bytes and have to come out as they went in, but the package `tar` reads them as UTF-8 and
// loses long ones with a newline; it also takes twenty times as long, and the program `tar` is a process, which costs a
// small bundle more than unpacking it.
//
// No list of names is kept, so a million entries take no memory: the new directory is ours alone, and what was made in
// it is asked of it. A directory, once there, is never replaced.

import {
  chmodSync,
  closeSync,
  fchmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  statSync,
  symlinkSync,
  writeSync,
} from 'node:fs'
import { basename } from 'node:path'

import { breather } from '../system/breath.ts'
import { BundleError } from './bundle-error.ts'
import { ByteReader } from './byte-reader.ts'
import { decompress } from './decompress.ts'
import { isErrno, reasonOf, tolerating } from '../base/errno.ts'
import { quoteBytes, TarReader } from './tar.ts'
import type { TarEntry } from './tar.ts'

export { BundleError }

/** More entries than any checkout has, and a bound for what a bundle without content can cost. */
const ENTRIES_MAX = 1_000_000

/**
 * Unpacks a tar, plain or compressed with gzip, zstd or xz, into the directory `into`, which it makes. Files,
 * directories and links keep their names and permission bits (a directory is always its owner's to use);
 * owners and times are those of a new file. Throws BundleError, one sentence, for what is wrong with the bundle,
 * `maxBytes` of tar included; the reason of `signal` if that aborts; the system's error for anything else. After any of
 * them `into` is the caller's to delete.
 */
export async function unpack(
  archive: string,
  into: string,
  { maxBytes, signal }: { maxBytes: number; signal?: AbortSignal | undefined },
): Promise<void> {
  const source = decompress(archive, signal)
  try {
    await unpackTar(new TarReader(new ByteReader(source, maxBytes)), new Tree(into), signal)
  } catch (error) {
    if (!(error instanceof BundleError)) throw error
    throw new BundleError(`${basename(archive)}: ${error.message}`, { cause: error })
  } finally {
    await source.return()
  }
}

/**
 * As `unpack`, of a tar that comes as a stream, into a directory that may be there and is empty. Hard links that lead outside
 * are left out, and `leftOut` is told of each, if there is one; otherwise they throw too. `onDirectory` is told the mode of each
 * directory that the tar has, by its name of bytes.
 */
export async function unpackStream(
  source: AsyncGenerator<Buffer, void>,
  into: string,
  { maxBytes, ...listeners }: { maxBytes: number } & Listeners,
): Promise<void> {
  const tar = new TarReader(new ByteReader(source, maxBytes))
  await unpackTar(tar, new Tree(into, true, listeners), undefined)
}

async function unpackTar(tar: TarReader, tree: Tree, signal: AbortSignal | undefined): Promise<void> {
  const breathe = breather(signal)
  for (let count = 0; ;) {
    await breathe()
    const entry = await tar.next()
    if (!entry) break
    if (++count > ENTRIES_MAX) throw new BundleError(`more than ${ENTRIES_MAX} entries`)
    const fd = tree.make(entry)
    if (fd === undefined) continue
    try {
      for (;;) {
        const bytes = await tar.read()
        if (bytes.length === 0) break
        writeAll(fd, bytes)
        await breathe()
      }
    } finally {
      closeSync(fd)
    }
  }
}

function writeAll(fd: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at)
}

/** The errors of a file system that refuses a name for good. */
const IMPOSSIBLE = ['ENAMETOOLONG', 'EILSEQ', 'EINVAL', 'EMLINK']

interface Listeners {
  readonly leftOut?: (why: string) => void
  readonly onDirectory?: (name: string, mode: number) => void
}

/** The directory that is filled. Names in it are relative, of bytes as in latin1, without `.`, `..` and doubled slashes. */
class Tree {
  /** The path of the tree as bytes, with a slash. */
  readonly #root: string
  /** The permission bits that new files do not get. */
  readonly #masked: number
  /** A directory of the tree that, like all above it, is known to be one. */
  #known = ''
  readonly #listeners: Listeners

  constructor(into: string, isThere = false, listeners: Listeners = {}) {
    this.#listeners = listeners
    if (!isThere) mkdirSync(into)
    this.#masked = 0o777 & ~statSync(into).mode
    this.#root = Buffer.from(into + '/').toString('latin1')
  }

  /** Makes what an entry says; returns the open file if there is content to be written. */
  make(entry: TarEntry): number | undefined {
    const name = inside(entry.name)
    if (name === undefined) throw new BundleError(`the entry ${quoteBytes(entry.name)} leads outside`)
    // The directory itself, which is there and ours.
    if (name === '') return undefined
    try {
      this.#enter(entry.kind === 'directory' ? name : parentOf(name), name)
      if (entry.kind === 'file') return this.#file(name, entry.mode, entry.size)
      else if (entry.kind === 'directory') this.#directory(name, entry.mode | 0o700)
      else if (entry.kind === 'symlink') this.#symlink(name, entry.target)
      else this.#link(name, entry.target)
    } catch (error) {
      if (isErrno(error, 'EEXIST')) throw new BundleError(`the entry ${quoteBytes(name)} is there twice`)
      if (!isErrno(error, ...IMPOSSIBLE)) throw error
      throw new BundleError(`the entry ${quoteBytes(name)} cannot be made: ${reasonOf(error)}`)
    }
    return undefined
  }

  #file(name: string, mode: number, size: number): number | undefined {
    const fd = openSync(this.#path(name), 'wx', mode)
    if (mode & this.#masked) fchmodSync(fd, mode)
    if (size > 0) return fd
    closeSync(fd)
    return undefined
  }

  #directory(name: string, mode: number): void {
    chmodSync(this.#path(name), mode)
    this.#listeners.onDirectory?.(name, mode)
  }

  #symlink(name: string, target: string): void {
    if (target === '') throw new BundleError(`the symbolic link ${quoteBytes(name)} leads to nothing`)
    symlinkSync(toPath(target), this.#path(name))
  }

  #link(name: string, target: string): void {
    const existing = inside(target)
    if (existing === undefined) {
      const error = leadsOutside(name, target)
      if (!this.#listeners.leftOut) throw error
      this.#listeners.leftOut(error.message)
      return
    }
    for (const path of wayTo(existing)) {
      const stat = this.#lstat(path)
      if (path === existing ? stat?.isFile() : stat?.isDirectory()) continue
      throw new BundleError(
        `the hard link ${quoteBytes(name)} leads to ${quoteBytes(target)}, which is no file`,
      )
    }
    linkSync(this.#path(existing), this.#path(name))
  }

  /** Makes sure that `directory` is one, and all above it, for the sake of the entry `name`. */
  #enter(directory: string, name: string): void {
    if (isWithin(this.#known, directory)) return
    for (const path of wayTo(directory)) {
      if (isWithin(this.#known, path)) continue
      try {
        mkdirSync(this.#path(path))
      } catch (error) {
        if (!isErrno(error, 'EEXIST')) throw error
        if (!this.#lstat(path)?.isDirectory()) {
          const where = `${quoteBytes(path)}, which is no directory`
          throw new BundleError(`the entry ${quoteBytes(name)} leads through ${where}`)
        }
      }
      this.#known = path
    }
  }

  #lstat(name: string) {
    return tolerating(['ENOENT', 'ENOTDIR', 'ENAMETOOLONG'], () => lstatSync(this.#path(name)))
  }

  #path(name: string): string | Buffer {
    return toPath(this.#root + name)
  }
}

const leadsOutside = (name: string, target: string): BundleError =>
  new BundleError(`the hard link ${quoteBytes(name)} leads outside, to ${quoteBytes(target)}`)

/** True if `name` is `directory` or below it; all are below the empty name. */
const isWithin = (name: string, directory: string): boolean =>
  directory === '' || name === directory || name.startsWith(directory + '/')

/** `a`, `a/b`, `a/b/c` for the last of them. */
function* wayTo(name: string): Generator<string> {
  for (let at = name.indexOf('/'); at >= 0; at = name.indexOf('/', at + 1)) yield name.slice(0, at)
  yield name
}

const parentOf = (name: string): string => name.slice(0, Math.max(0, name.lastIndexOf('/')))

const toPath = (bytes: string): string | Buffer =>
  /^[\0-\x7f]*$/.test(bytes) ? bytes : Buffer.from(bytes, 'latin1')

/** The name without what means nothing in it, or undefined if it leads out of where it stands. Pure. */
function inside(name: string): string | undefined {
  if (!/(^|\/)\.{0,2}(\/|$)/.test(name)) return name
  const parts = name.split('/').filter(part => part !== '' && part !== '.')
  return name.startsWith('/') || parts.includes('..') ? undefined : parts.join('/')
}
