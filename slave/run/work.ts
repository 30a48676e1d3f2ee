// The temporary directory of a job, on the slave's own disk: it holds `code/` and `steps/`, and all that steps write.

import { lstatSync, mkdirSync, opendirSync, readdirSync, rmdirSync, unlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'

import { tolerating } from '../../lib/base/errno.ts'
import { quote, temporary } from '../../lib/base/exit.ts'
import { breather } from '../../lib/system/breath.ts'
import { failureOf, run } from '../../lib/system/run.ts'
import { unpack } from '../../lib/bundle/bundle.ts'
import { workPaths } from './environment.ts'
import type { Path } from '../../lib/base/brand.ts'
import { makeDirectories, makeWritable } from '../../lib/system/directories.ts'
import { TASK } from '../../lib/spool/job-files.ts'

/**
 * Returns the private directory of a claim in `jobtmp`. Its name contains the claim's token, so its processes can be
 * recognised by it.
 */
export const workOf = (jobtmp: string, token: string): string => join(jobtmp, `bass-${token}`)

/** Makes it. */
export function makeWork(work: string): void {
  const make = () => (mkdirSync(work, { mode: 0o700 }), true)
  if (tolerating(['ENOENT'], make)) return
  makeDirectories(dirname(work))
  make()
}

/** Unpacks the code and the steps of the task in a directory, at most `maxBytes` of each; see `unpack` for what it throws. Nothing goes on after it. */
export async function unpackTask(
  task: Path,
  work: string,
  maxBytes: number,
  signal?: AbortSignal,
): Promise<void> {
  const limits = { maxBytes, signal }
  const { code, steps } = workPaths(work)
  const both = await Promise.allSettled([
    unpack(join(task, TASK.code), code, limits),
    unpack(join(task, TASK.steps), steps, limits),
  ])
  for (const end of both) if (end.status === 'rejected') throw end.reason
}

/** Removes it, whatever steps have done to it. Links are not followed, whoever makes them meanwhile. */
export async function removeWork(work: string): Promise<void> {
  try {
    if (isOurs(work)) {
      await removeTree(work, breather())
      return
    }
  } catch {
    // It is gone, or has directories without write permission, names that are not UTF-8, paths that are too long.
    await makeWritable(work)
  }
  const removed = await run(['rm', '-rf', '--', work])
  if (removed.code !== 0) throw temporary(`remove ${quote(work)}`, failureOf(removed))
}

/**
 * False if it is no directory, or another user owns a part of it. A process of that user which is left over could put a link
 * in the place of a directory while we go by paths; `rm` holds each directory open.
 */
function isOurs(work: string): boolean {
  const me = process.getuid!()
  return (
    lstatSync(work).isDirectory() && readdirSync(work).every(name => lstatSync(join(work, name)).uid === me)
  )
}

async function removeTree(directory: string, breathe: () => Promise<void>): Promise<void> {
  // Not listed as a whole: a step may have made millions.
  const entries = opendirSync(directory)
  try {
    for (let entry = entries.readSync(); entry; entry = entries.readSync()) {
      const path = join(directory, entry.name)
      if (entry.isDirectory()) await removeTree(path, breathe)
      else unlinkSync(path)
      await breathe()
    }
  } finally {
    entries.closeSync()
  }
  rmdirSync(directory)
}
