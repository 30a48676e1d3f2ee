// Deleting trees.

import { lstatSync, readdirSync, rmdirSync, rmSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'

import { isErrno } from '../base/errno.ts'
import type { Path } from '../base/brand.ts'
import { runSync } from './run.ts'

/**
 * Deletes a file or a tree, if it is there. Files in use on NFS stay as `.nfs...` for a while; the next program that sees
 * the dead name deletes them.
 */
export function remove(path: Path): void {
  try {
    removeOrdinary(path, lstatSync(path))
  } catch {
    removeWhatever(path)
  }
}

/** Half the time of rmSync, which tries first whether a directory is empty. */
function removeOrdinary(path: Path, kind: { isDirectory(): boolean }): void {
  if (!kind.isDirectory()) {
    unlinkSync(path)
    return
  }
  for (const entry of readdirSync(path, { withFileTypes: true }))
    removeOrdinary(join(path, entry.name), entry)
  rmdirSync(path)
}

/** With names of any bytes, of any depth, and what others delete or use meanwhile. */
function removeWhatever(path: Path): void {
  try {
    rmSync(path, { recursive: true, force: true })
  } catch (error) {
    // A step can make directories deeper than a stack, or than a path can be long; rm does not mind.
    if (error instanceof RangeError || isErrno(error, 'ENAMETOOLONG')) runSync(['rm', '-rf', '--', path])
    else if (!isErrno(error, 'ENOTEMPTY', 'EBUSY', 'EEXIST', 'ESTALE')) throw error
  }
}
