// The temporary directory of a job, on the slave's own disk: it holds `code/` and `steps/`, and all that steps write.

import { execFile } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

import { setting } from '../lib/settings.ts'

/** Where the private directory of a claim is. Its name tells the claim, so that its processes can be told by it too. */
export const workOf = (token: string): string => join(setting('JOBTMP'), `bass-${token}`)

/** Makes it. */
export function makeWork(work: string): void {
  mkdirSync(dirname(work), { recursive: true })
  mkdirSync(work, { mode: 0o700 })
}

/** Removes it, whatever steps have done to the modes in it. */
export async function removeWork(work: string): Promise<void> {
  try {
    await rm(work, { recursive: true, force: true })
  } catch {
    // A directory without write permission: only its owner, which we are, can change that.
    await promisify(execFile)('chmod', ['-R', 'u+rwX', '--', work]).catch(() => undefined)
    await rm(work, { recursive: true, force: true })
  }
}
