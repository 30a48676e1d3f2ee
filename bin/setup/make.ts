// Makes directories and files for `bass init`, durably. What exists is not changed.

import { chmodSync, mkdirSync, statSync } from 'node:fs'
import { basename, dirname } from 'node:path'

import { fsyncPath, publishFile } from '../../lib/system/durable.ts'
import { listAllIfThere } from '../../lib/system/listing.ts'
import { isErrno, tolerating } from '../../lib/base/errno.ts'
import { lasting, quote, temporary } from '../../lib/base/exit.ts'

/**
 * Makes a directory where there is none: with the permissions of `keep` that umask allows, and the bits of `set`, by
 * default the one that gives what is made in it the same group.
 */
export function makeDirectoryWithMode(path: string, keep = 0o775, set = 0o2000): void {
  attempt('make the directory', path, () => {
    const made = tolerating(['EEXIST'], () => (mkdirSync(path), true))
    if (made === undefined) return
    chmodSync(path, (statSync(path).mode & keep) | set)
    fsyncPath(dirname(path))
  })
}

/** Makes a file if there is none; it appears complete. */
export function makeFile(path: string, content: string, mode = 0o644): void {
  attempt('make the file', path, () => {
    if (listAllIfThere(dirname(path)).includes(basename(path))) return
    publishFile(path, content, mode)
    fsyncPath(dirname(path))
  })
}

function attempt(verb: string, path: string, action: () => void): void {
  try {
    action()
  } catch (error) {
    const fail = isErrno(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'EPERM') ? lasting : temporary
    throw fail(`${verb} ${quote(path)}`, error)
  }
}
