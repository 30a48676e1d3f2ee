// Directories: made with those above them, and opened to us again.

import { mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

import { isErrno } from '../base/errno.ts'
import type { Path } from '../base/brand.ts'
import { run } from './run.ts'

/** How often to make again what somebody removes meanwhile. */
const TRIES = 100

/**
 * Makes a directory, and those above it where they are missing; `mode` is what umask takes from. Returns the first one that it
 * made, or undefined if all were there. Throws what the kernel says. Node's own recursive form never ends where the kernel makes
 * nothing in a directory that is there, as in /proc.
 */
export function makeDirectories(path: Path, mode = 0o777): Path | undefined {
  let first: Path | undefined
  for (let tries = 1; ; tries++) {
    try {
      mkdirSync(path, mode)
      return first ?? path
    } catch (error) {
      const above = dirname(path)
      if (isErrno(error, 'ENOENT') && above !== path && tries < TRIES) {
        const made = makeDirectories(above, mode)
        if (made !== undefined && (first === undefined || made.length < first.length)) first = made
        continue
      }
      if (isErrno(error, 'EEXIST', 'EROFS', 'EISDIR') && isDirectory(path)) return first
      throw error
    }
  }
}

/** The directories to fsync, so that what `makeDirectories(path)` made is durable: of that it returned `first`. Pure. */
export function* parentsOfMade(path: Path, first: Path): Generator<Path> {
  for (let made = path; made.length >= first.length; made = dirname(made)) yield dirname(made)
}

const isDirectory = (path: Path): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true

/** Gives us back the rights that others have taken from what is ours in a directory, as far as that can be done. */
export async function makeWritable(directory: Path): Promise<void> {
  await run(['chmod', '-R', 'u+rwX', '--', directory])
}
