// One job, in its container or here: fetches exactly one commit, runs what it says, and pushes what came of it, also
// where there is nothing to run. Nothing is run before the server has let the run in as one that goes on: it has given the
// job to nobody else then. The job is JSON in the file that the argument names; `-` is standard input.

import { mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { reasonOf } from '../../../lib/base/errno.ts'
import { lasting, temporary } from '../../../lib/base/exit.ts'
import { git } from '../../../lib/git/process.ts'
import { isAbsence, isRefusal } from '../../../lib/git/refusal.ts'
import { isCommitId } from '../../../lib/git/commit-id.ts'
import { runMain } from '../../../lib/system/command.ts'
import { perform } from '../parts/perform.ts'
import { pushRuns } from '../share/exchange.ts'
import { storeReason } from './reason.ts'
import { setOrigin } from './repository.ts'

export const job = { description: { name: 'git-jci job' }, main }

/** For how long a fetch or push is tried that finds nobody, and the longest wait between two tries, in milliseconds. */
const FETCH_PATIENCE = 60_000
const PUSH_PATIENCE = 300_000
const PUSH_WAIT_MAX_MS = 15_000

async function main([file = '-']: string[]): Promise<number> {
  const { clone_url, commit_sha } = JSON.parse(readFileSync(file === '-' ? 0 : file, 'utf8')) as Record<
    string,
    string
  >
  if (clone_url === undefined || !isCommitId(commit_sha ?? ''))
    throw lasting('read the job', 'it names no commit')
  const directory = mkdtempSync(join(realpathSync(tmpdir()), 'git-jci-code-'))
  try {
    git(directory, 'init', '--quiet')
    setOrigin(directory, clone_url)
    await check(directory, commit_sha!).catch(async (error: unknown) => {
      // No other try would find it: whoever waits for the job is to know.
      if (isAbsence(String(error))) {
        await storeReason(directory, commit_sha!, error)
        await push(directory)
      }
      throw error
    })
    process.chdir(directory)
    const path = process.env['JCI_SCRIPT_PATH']
    const { ok } = await perform({ onStored: push, always: true, ...(path === undefined ? {} : { path }) })
    return ok ? 0 : 1
  } finally {
    process.chdir('/')
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Fetches the commit and checks it out. */
async function check(directory: string, commit: string): Promise<void> {
  await patiently('fetch the commit', FETCH_PATIENCE, () => {
    git(directory, 'fetch', '--quiet', '--depth=1', '--no-tags', 'origin', commit)
  })
  git(directory, '-c', 'advice.detachedHead=false', 'checkout', '--quiet', '--detach', commit)
}

const push = (directory: string): Promise<void> =>
  patiently('push the run of the job', PUSH_PATIENCE, async () => {
    await pushRuns(directory, 'origin')
  })

/** Does something with the server also if that is away for some time, or the network is not there yet. Throws Fatal. */
async function patiently(what: string, patience: number, act: () => Promise<void> | void): Promise<void> {
  const end = performance.now() + patience
  for (let wait = 500; ; wait = Math.min(2 * wait, PUSH_WAIT_MAX_MS)) {
    try {
      await act()
      return
    } catch (error) {
      const words = reasonOf(error)
      if (performance.now() > end || isRefusal(words) || isAbsence(words)) throw temporary(what, error)
      await sleep(wait)
    }
  }
}

if (require.main === module) runMain(job)
