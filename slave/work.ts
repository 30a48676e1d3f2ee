// The temporary directory of a job, on the slave's own disk: it holds `code/` and `steps/`, and all that steps write.

import { execFile } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

import { unpack } from '../lib/bundle.ts'
import { setting, sizeLimit } from '../lib/settings.ts'
import { workPaths } from './environment.ts'

/** Where the private directory of a claim is. Its name tells the claim, so that its processes can be told by it too. */
export const workOf = (token: string): string => join(setting('JOBTMP'), `bass-${token}`)

/** Makes it. */
export function makeWork(work: string): void {
  mkdirSync(dirname(work), { recursive: true })
  mkdirSync(work, { mode: 0o700 })
}

/** Unpacks the code and the steps of the task in a directory; see `unpack` for what it throws. Nothing goes on after it. */
export async function unpackTask(task: string, work: string, signal?: AbortSignal): Promise<void> {
  const limits = { maxBytes: sizeLimit('BUNDLE_MAX'), signal }
  const { code, steps } = workPaths(work)
  const both = await Promise.allSettled([
    unpack(join(task, 'code.tar'), code, limits),
    unpack(join(task, 'steps.tar'), steps, limits),
  ])
  for (const end of both) if (end.status === 'rejected') throw end.reason
}

/** Removes it, whatever steps have done to the modes in it. */
export async function removeWork(work: string): Promise<void> {
  try {
    await rm(work, { recursive: true, force: true })
  } catch {
    // Directories without write permission, or deeper than Node can follow.
    const run = promisify(execFile)
    await run('chmod', ['-R', 'u+rwX', '--', work]).catch(() => undefined)
    await run('rm', ['-rf', '--', work])
  }
}
