// Refs are bytes, but a program that reads names as UTF-8 cannot find others again. So an event whose ref is no UTF-8 gets
// one that is, in which each such byte is written as in a URL: `br\xe9` becomes `br%E9`.

import { isUtf8 } from 'node:buffer'
import { readdirSync, renameSync } from 'node:fs'

import { tolerating } from '../../lib/base/errno.ts'

/** The name with each byte beyond ASCII as `%` and two hex digits. Pure. */
const escapeBytes = (name: Buffer): string =>
  name.toString('latin1').replace(/[^\0-\x7f]/g, byte => `%${byte.charCodeAt(0).toString(16).toUpperCase()}`)

/**
 * Renames what is directly in a directory and has a name that is not UTF-8. What is in the way, or is being worked on, is
 * left for the next time.
 */
export function escapeNames(directory: string): void {
  const path = (name: Buffer | string) =>
    Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(name as string)])
  for (const name of readdirSync(directory, { encoding: 'buffer' })) {
    if (isUtf8(name)) continue
    const to = path(escapeBytes(name))
    tolerating(['ENOENT', 'ESTALE', 'ENOTEMPTY', 'EEXIST', 'ENOTDIR'], () => renameSync(path(name), to))
  }
}
