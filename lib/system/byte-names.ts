// Names are bytes, but a program that reads them as UTF-8 cannot find others again. So an event whose ref is no UTF-8 gets
// one that is, in which each such byte is written as in a URL: `br\xe9` becomes `br%E9`. Artifacts keep their names, and are
// shown and asked for by such ones.

import { isUtf8 } from 'node:buffer'
import { lstatSync, readdirSync, renameSync } from 'node:fs'

import { tolerating } from '../base/errno.ts'

/** The name with each byte beyond ASCII as `%` and two hex digits. Pure. */
const escapeBytes = (name: Buffer): string =>
  name.toString('latin1').replace(/[^\0-\x7f]/g, byte => `%${byte.charCodeAt(0).toString(16).toUpperCase()}`)

/** A name as people are shown it: as it is, or where it is no UTF-8, with those bytes as in a URL. Pure. */
export const shownName = (name: Buffer): string => (isUtf8(name) ? name.toString() : escapeBytes(name))

/** The path of an entry of a directory, whatever its bytes are. */
export const bytePath = (directory: string | Buffer, name: string | Buffer): Buffer =>
  Buffer.concat([directory, '/', name].map(part => (typeof part === 'string' ? Buffer.from(part) : part)))

/** The path of the entry of a directory that is shown by this name; that name itself where there is none. */
export function pathShownAs(directory: string | Buffer, shown: string): Buffer {
  const path = bytePath(directory, shown)
  if (!/%[0-9A-F]{2}/.test(shown) || lstatSync(path, { throwIfNoEntry: false })) return path
  const names = readdirSync(directory, { encoding: 'buffer' })
  const name = names.find(name => !isUtf8(name) && escapeBytes(name) === shown)
  return name ? bytePath(directory, name) : path
}

/**
 * Renames what is directly in a directory and has a name that is not UTF-8. What is in the way, or is being worked on, is
 * left for the next time.
 */
export function escapeNames(directory: string): void {
  const path = (name: Buffer | string) => bytePath(directory, name)
  for (const name of readdirSync(directory, { encoding: 'buffer' })) {
    if (isUtf8(name)) continue
    const to = path(escapeBytes(name))
    tolerating(['ENOENT', 'ESTALE', 'ENOTEMPTY', 'EEXIST', 'ENOTDIR'], () => renameSync(path(name), to))
  }
}
