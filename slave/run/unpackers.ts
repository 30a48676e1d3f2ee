// The programs that unpack bundles. Masters choose how they pack, so a slave may lack what some tasks need and run others.

import { accessSync, constants, readSync } from 'node:fs'
import { join } from 'node:path'

import { ZSTD_IN_PROCESS_BYTES } from '../../lib/bundle/zstd.ts'
import { openIfThere } from '../../lib/system/durable.ts'
import type { Path } from '../../lib/base/brand.ts'
import { TASK } from '../../lib/spool/job-files.ts'

/** How a file begins, in hex, that a program of this name unpacks; small ones of zstd need none. */
const UNPACKERS = [
  { program: 'zstd', magic: /^(28b52ffd|5.2a4d18)/, least: ZSTD_IN_PROCESS_BYTES },
  { program: 'xz', magic: /^fd377a585a00/, least: 0 },
] as const

/** Those that are in none of the directories of a PATH. */
export function missingUnpackers(path: string): string[] {
  const isThere = (program: string) =>
    path.split(':').some(directory => {
      try {
        accessSync(join(directory, program), constants.X_OK)
        return true
      } catch {
        // Not here, whatever the reason.
        return false
      }
    })
  return UNPACKERS.map(({ program }) => program).filter(program => !isThere(program))
}

/** Those among `missing` that the bundles of this task need. */
export function neededUnpackers(task: Path, missing: readonly string[]): string[] {
  if (missing.length === 0) return []
  const bundles = [TASK.code, TASK.steps].map(name => beginningOf(join(task, name)))
  return UNPACKERS.filter(({ magic, least }) =>
    bundles.some(({ hex, size }) => size > least && magic.test(hex)),
  )
    .map(({ program }) => program as string)
    .filter(program => missing.includes(program))
}

function beginningOf(path: string): { hex: string; size: number } {
  const bytes = Buffer.alloc(6)
  const read = openIfThere(path, (fd, { size }) => ({ length: readSync(fd, bytes, 0, 6, 0), size }))
  return { hex: bytes.toString('hex', 0, read?.length ?? 0), size: read?.size ?? 0 }
}
