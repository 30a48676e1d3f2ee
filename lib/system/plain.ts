// One way to open what may be anybody's: a file that a step, a stranger or a shell script put there. Opening never waits,
// as a FIFO would make it, never follows a link, which could lead anywhere, and takes nothing but a regular file.

import { closeSync, constants, fstatSync, openSync } from 'node:fs'
import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import type { Stats } from 'node:fs'

import { isErrno, tolerating } from '../base/errno.ts'
import { askingAgain } from './listing.ts'
import type { Path } from '../base/brand.ts'

const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

/** A link answers ELOOP, a socket ENXIO. Any other error says nothing of what is there. */
const NOT_THERE = ['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO'] as const

/** Opens a regular file for reading; undefined if there is none of that path. The caller closes it. Throws any other error. */
export function openPlainSync(path: Path): { readonly fd: number; readonly stat: Stats } | undefined {
  const fd = tolerating(NOT_THERE, () => askingAgain(() => openSync(path, FLAGS)))
  if (fd === undefined) return undefined
  let plain = false
  try {
    const stat = fstatSync(fd)
    plain = stat.isFile()
    return plain ? { fd, stat } : undefined
  } finally {
    if (!plain) closeSync(fd)
  }
}

/** As `openPlainSync`, without holding up the process. For pages, which decide nothing: what is stale is not there. */
export async function openPlain(path: Path | Buffer): Promise<FileHandle | undefined> {
  let file: FileHandle
  try {
    file = await open(path, FLAGS)
  } catch (error) {
    if (isErrno(error, ...NOT_THERE, 'ESTALE')) return undefined
    throw error
  }
  let plain = false
  try {
    plain = (await file.stat()).isFile()
  } finally {
    if (!plain) await file.close()
  }
  return plain ? file : undefined
}
