// What a job leaves behind in the directory of a worker.

import { lstatSync } from 'node:fs'
import { dirname, join } from 'node:path'

import type { Path } from '../../lib/base/brand.ts'
import { DEAD, move, token } from '../../lib/system/durable.ts'
import { warn } from '../../lib/system/log.ts'
import { removeWork } from '../run/work.ts'

/** Removes what is there of these; what another user has made there goes out of the way of the next job. */
export async function removeLeftovers(paths: readonly Path[]): Promise<void> {
  const there = paths.filter(path => lstatSync(path, { throwIfNoEntry: false }))
  await Promise.all(there.map(path => removeOne(path)))
}

async function removeOne(path: Path): Promise<void> {
  try {
    await removeWork(path)
  } catch (error) {
    const aside = join(dirname(path), DEAD + token())
    move(path, aside)
    warn('remove', aside, error)
  }
}
