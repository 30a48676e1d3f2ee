// Packs files of the disk into a tar. Names are bytes, as strings of one character for each.

import { constants, lstatSync, readlinkSync } from 'node:fs'
import type { Stats } from 'node:fs'
import { open } from 'node:fs/promises'

import { ignoringENOENT, isErrno } from '../base/errno.ts'
import { headerOf } from '../bundle/tar-writer.ts'
import { rethrow, toPath } from './listing.ts'
import type { OnUnreadable } from './listing.ts'

/** One file, directory or link to pack: where it is, and its name in the archive; both are bytes. */
export interface Item {
  readonly path: string
  readonly name: string
}

/** The items of these names below a root; all of bytes. */
export const itemsBelow = (root: string, names: readonly string[]): Item[] =>
  names.map(name => ({ name, path: `${root}/${name}` }))

const BLOCK = 512
const PACK_READ_BYTES = 256 * 1024

/**
 * The bytes of a tar. What is gone, or is neither file, directory nor link, is left out, and so are files that may not be read,
 * if `onUnreadable` does not throw.
 */
export async function* tarOf(items: Iterable<Item>, onUnreadable = rethrow): AsyncGenerator<Buffer, void> {
  for (const { path, name } of items) {
    const stat = ignoringENOENT(() => lstatSync(toPath(path)))
    if (!stat) continue
    if (stat.isDirectory())
      yield headerOf({ kind: 'directory', name, mode: modeOf(stat), time: timeOf(stat) })
    else if (stat.isSymbolicLink()) {
      const target = ignoringENOENT(() => readlinkSync(toPath(path), 'latin1'))
      if (target !== undefined)
        yield headerOf({ kind: 'symlink', name, mode: modeOf(stat), target, time: timeOf(stat) })
    } else if (stat.isFile()) yield* fileOf(path, name, onUnreadable)
  }
  yield Buffer.alloc(2 * BLOCK)
}

async function* fileOf(path: string, name: string, onUnreadable: OnUnreadable): AsyncGenerator<Buffer, void> {
  const file = await open(
    toPath(path),
    constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
  ).catch((error: unknown) => {
    // It has become something else since.
    if (isErrno(error, 'ENOENT', 'ELOOP', 'ENXIO')) return undefined
    if (!isErrno(error, 'EACCES', 'EPERM')) throw error
    onUnreadable(name, error)
    return undefined
  })
  if (!file) return
  try {
    const stat = await file.stat()
    if (!stat.isFile()) return
    yield headerOf({ kind: 'file', name, mode: modeOf(stat), size: stat.size, time: timeOf(stat) })
    let left = stat.size
    while (left > 0) {
      const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(Math.min(left, PACK_READ_BYTES)), 0)
      // One that was cut meanwhile has zeros there.
      const bytes =
        bytesRead === 0 ? Buffer.alloc(Math.min(left, PACK_READ_BYTES)) : buffer.subarray(0, bytesRead)
      left -= bytes.length
      yield bytes
    }
    const padding = -stat.size & (BLOCK - 1)
    if (padding > 0) yield Buffer.alloc(padding)
  } finally {
    await file.close()
  }
}

const modeOf = ({ mode }: Stats): number => mode & 0o7777
/** In seconds since 1970; a file may be older than that. */
const timeOf = ({ mtimeMs }: Stats): number => Math.max(0, Math.floor(mtimeMs / 1000))
