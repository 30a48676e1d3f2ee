// Durable writing, once for all programs: prepare under a private name, fsync, one rename or link, fsync the
// directory. Calls are synchronous, because their order matters. A reported error need not be true: on NFS a
// call can succeed and its reply be lost. So a listing of the source decides after an error of rename, and
// the link count of our own open file after an error of link.

import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  futimesSync,
  linkSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import type { Stats } from 'node:fs'
import { basename, dirname, join } from 'node:path'

import { ignoringENOENT, isErrno, tolerating } from '../base/errno.ts'
import { askingAgain, listAllIfThere } from './listing.ts'
import { openPlainSync } from './plain.ts'
import type { Path } from '../base/brand.ts'
import { remove } from './remove.ts'

const TOKEN_BYTES = 8

/** Random bytes that no token was made of yet, so that not each costs three system calls. */
let random: Buffer = Buffer.alloc(0)

/**
 * Returns a unique name of 16 hex digits. It comes from the kernel: loading Node's crypto takes longer than a
 * claim.
 */
export function token(): string {
  if (random.length < TOKEN_BYTES) random = fromKernel(32 * TOKEN_BYTES)
  const bytes = random.subarray(0, TOKEN_BYTES)
  random = random.subarray(TOKEN_BYTES)
  return bytes.toString('hex')
}

function fromKernel(count: number): Buffer {
  const bytes = Buffer.alloc(count)
  const fd = openSync('/dev/urandom', 'r')
  try {
    if (readSync(fd, bytes) !== count) throw new Error('/dev/urandom gave too little')
  } finally {
    closeSync(fd)
  }
  return bytes
}

/** Does something with an open file: an error names it, as those of calls by name do. */
function naming<T>(path: Path, action: () => T): T {
  try {
    return action()
  } catch (error) {
    throw error instanceof Error ? Object.assign(error, { path }) : error
  }
}

/** Fsyncs this file or directory, not what is below it. */
export function fsyncPath(path: Path): void {
  const fd = openSync(path, 'r')
  try {
    naming(path, () => fsyncSync(fd))
  } finally {
    closeSync(fd)
  }
}

/** Fsyncs every file below a directory, then each directory, itself last. */
export function fsyncTree(directory: Path): void {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name)
    if (entry.isDirectory()) fsyncTree(path)
    else if (entry.isFile()) fsyncPath(path)
  }
  fsyncPath(directory)
}

/**
 * Opens a file, made or emptied, that is to be written, closed, and fsynced later with others. That it is cut to nothing,
 * which it is already, makes ext4 and XFS find its place on the disk when it is closed; any other gets that when it is fsynced,
 * each in a transaction of its own, though all are asked for together.
 */
export function create(path: Path, mode = 0o666): number {
  const fd = openSync(path, 'w', mode)
  ftruncateSync(fd)
  return fd
}

/** Writes a file that is fsynced later with others. */
export function write(path: Path, content: string | Uint8Array, mode = 0o666): void {
  const fd = create(path, mode)
  try {
    naming(path, () => writeFileSync(fd, content))
  } finally {
    closeSync(fd)
  }
}

/** Makes a file that was not there, and fsyncs it, not its directory. After an error it is not there. */
export function writeNew(path: Path, content: string | Uint8Array, mode = 0o666): void {
  const fd = openSync(path, 'wx', mode)
  let written = false
  try {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content
    naming(path, () => {
      for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at)
      fsyncSync(fd)
    })
    written = true
  } finally {
    closeSync(fd)
    if (!written) ignoringENOENT(() => unlinkSync(path))
  }
}

/**
 * Gives the file `from` the name `to` as well, which no one can do twice: true if this call did it, whatever was
 * reported; false if the name is taken. `from` is ours, and its only name. Does not fsync.
 */
export function linkOnce(from: Path, to: Path): boolean {
  const fd = openSync(from, 'r+')
  try {
    return linkOpened(fd, from, to)
  } finally {
    closeSync(fd)
  }
}

/** As `linkOnce`, of a file with one name that is open as `fd`, so that it may be moved away meanwhile. */
export function linkOpened(fd: number, from: Path, to: Path): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    // Setting the times makes an NFS client ask the server, instead of answering from what it remembers.
    const now = new Date()
    futimesSync(fd, now, now)
    if (fstatSync(fd).nlink > 1) return true
    if (isErrno(error, 'EEXIST')) return false
    throw error
  }
}

/**
 * Puts `content` under a name that is taken once and for ever: true if it was this call, false if the name was
 * taken. The content is durable before the name is there; the name is when the caller has fsynced the directory. It is
 * prepared in `tmp`: where nobody would ever clear away what a crash leaves there, that is `tasks/tmp`.
 */
export function publishFile(path: Path, content: string, mode = 0o666, tmp = dirname(path)): boolean {
  const prepared = join(tmp, `.new.${token()}`)
  writeNew(prepared, content, mode)
  return publishPrepared(prepared, path)
}

/** As `publishFile`, of a file that is ours, durable, and has the one name that it loses here. */
export function publishPrepared(prepared: Path, path: Path): boolean {
  try {
    return linkOnce(prepared, path)
  } finally {
    ignoringENOENT(() => unlinkSync(prepared))
  }
}

/**
 * Puts `content` under a name, in the place of what was there; readers find the one or the other. Durable. `tmp`
 * is as above.
 */
export function replaceFile(path: Path, content: string, tmp = dirname(path)): void {
  const private_ = join(tmp, `.new.${token()}`)
  try {
    writeNew(private_, content)
    move(private_, path)
  } finally {
    ignoringENOENT(() => unlinkSync(private_))
  }
  fsyncPath(dirname(path))
}

/**
 * Renames what is ours, or what anyone may rename because all mean the same target: after an error, what is no longer
 * listed where it was has been moved, by us or by them: then the answer is false. Does not fsync.
 */
export function move(from: Path, to: Path): boolean {
  try {
    renameSync(from, to)
    return true
  } catch (error) {
    if (listAllIfThere(dirname(from)).includes(basename(from))) throw error
    return false
  }
}

/**
 * Opens a file to read it, for as long as `use` takes; undefined if it is not there, or is anything but a regular file:
 * names in the spool may be anybody's, and a FIFO would be waited for. Throws any other error.
 */
export function openIfThere<T>(path: Path, use: (fd: number, stat: Stats) => T): T | undefined {
  const opened = openPlainSync(path)
  if (!opened) return undefined
  try {
    return use(opened.fd, opened.stat)
  } finally {
    closeSync(opened.fd)
  }
}

/**
 * The state of an open file or directory, by its descriptor: an NFS client asks the server for that, and answers for a name from
 * memory. Undefined as in `openIfThere`.
 */
function statIfThere(path: Path): Stats | undefined {
  const flags = constants.O_RDONLY | constants.O_NONBLOCK
  const fd = tolerating(['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO'], () =>
    askingAgain(() => openSync(path, flags)),
  )
  if (fd === undefined) return undefined
  try {
    const stat = fstatSync(fd)
    return stat.isFile() || stat.isDirectory() ? stat : undefined
  } finally {
    closeSync(fd)
  }
}

/** When an open file was written last, in milliseconds since 1970. */
export const timeOfFile = ({ mtimeMs }: Stats) => Math.round(mtimeMs)

/** When a file was written last, or a directory got or lost a name, in milliseconds since 1970; null if it is not there. */
export function timeOf(path: Path): number | null {
  const stat = statIfThere(path)
  return stat ? timeOfFile(stat) : null
}

/** The time in milliseconds since 1970, by the clock that gives files in this directory their times. */
export function serverTime(directory: Path): number {
  // It is rubbish from the first: who is killed here leaves nothing, and who finds it may remove it.
  const stamp = join(directory, `${DEAD}${token()}`)
  const fd = openSync(stamp, 'wx')
  try {
    return fstatSync(fd).mtimeMs
  } finally {
    closeSync(fd)
    ignoringENOENT(() => unlinkSync(stamp))
  }
}

/** Most bytes of a small file: more than an environment can hold. */
const SMALL_FILE_BYTES = 4 << 20

/** The content of a small file; undefined if it is not there, or nothing that one of our programs would have written. */
export const readIfThere = (path: Path): string | undefined => openIfThere(path, readSmall)

/** As `readIfThere`, of an open file. */
export function readSmall(fd: number, { size }: Stats): string | undefined {
  if (size > SMALL_FILE_BYTES) return undefined
  // So says a file of /proc, too.
  if (size === 0) return readFileSync(fd, 'utf8')
  const bytes = Buffer.allocUnsafe(size)
  // Its size is known: nothing needs to be asked for behind its end.
  return bytes.toString('utf8', 0, readSync(fd, bytes))
}

/** The prefix of rubbish: any program that sees such a name deletes it. */
export const DEAD = '.dead-'

/** Sweeps a directory or file: one rename to a name that says so, an fsync, then deletion, which anyone may finish. */
export function sweep(path: Path): void {
  const dead = join(dirname(path), DEAD + token())
  if (ignoringENOENT(() => (renameSync(path, dead), true)) === undefined) return
  fsyncPath(dirname(path))
  remove(dead)
}
