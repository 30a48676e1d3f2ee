// Why nothing of a job was run, stored as a run of its own: there people look for what became of it.

import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'

import { reasonOf } from '../../../lib/base/errno.ts'
import { makeDirectories } from '../../../lib/system/directories.ts'
import { git } from '../../../lib/git/process.ts'
import { writeEnded } from '../parts/ended.ts'
import { drawRunId } from '../../../lib/jci/run-ref.ts'
import { storeRun } from '../../../lib/jci/store.ts'
import { remove } from '../../../lib/system/remove.ts'
import { pushRuns } from '../share/exchange.ts'
import type { Assigned } from './place.ts'
import { withOrigin } from './repository.ts'

/** Stores `err` with the reason in the repository of a job. Throws if it fails. */
export async function storeReason(repository: string, commit: string, why: unknown): Promise<void> {
  const run = drawRunId(Date.now())
  const output = mkdtempSync(join(repository, 'reason-'))
  try {
    writeEnded(output, { commit, run }, reasonOf(why))
    await storeRun(repository, commit, output, run)
  } finally {
    remove(output)
  }
}

/** A function that ends a job that cannot be started here, with the reason. `directory` is for what it needs meanwhile. */
export function refuser(directory: string, server: string) {
  // One that was killed may have left some.
  remove(directory)
  return async (job: Assigned, why: unknown): Promise<void> => {
    makeDirectories(directory, 0o700)
    const repository = mkdtempSync(join(directory, 'job-'))
    try {
      git(repository, 'init', '--quiet')
      await storeReason(repository, job.commit_sha, why)
      await withOrigin(repository, job, server, () => pushRuns(repository, 'origin'))
    } finally {
      remove(repository)
    }
  }
}
