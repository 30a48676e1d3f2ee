// One job, in its container or here: fetches exactly one commit, runs what it says, and pushes what came of it, also
// where there is nothing to run. The job is JSON in the file that the argument names; `-` is standard input.

import { appendFileSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { lasting, temporary } from '../../../lib/base/exit.ts'
import { git } from '../../../lib/git/process.ts'
import { isCommitId } from '../../../lib/jci/run-ref.ts'
import { run } from '../../../lib/system/command.ts'
import { perform } from '../parts/perform.ts'
import { pushRuns } from '../share/exchange.ts'
import { split } from './clone-url.ts'

export const job = { description: { name: 'git-jci job' }, main }

/** How often the push is tried. */
const TRIES = 5

async function main([file = '-']: string[]): Promise<number> {
  const { clone_url, commit_sha } = JSON.parse(readFileSync(file === '-' ? 0 : file, 'utf8')) as Record<
    string,
    string
  >
  if (clone_url === undefined || !isCommitId(commit_sha ?? ''))
    throw lasting('read the job', 'it names no commit')
  const directory = mkdtempSync(join(realpathSync(tmpdir()), 'git-jci-code-'))
  try {
    check(directory, clone_url, commit_sha!)
    process.chdir(directory)
    try {
      const path = process.env['JCI_SCRIPT_PATH']
      const { ok } = await perform({ share: 'origin', always: true, ...(path === undefined ? {} : { path }) })
      return ok ? 0 : 1
    } finally {
      await push(directory)
    }
  } finally {
    process.chdir('/')
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Fetches the commit and checks it out. The credential goes into a file of the repository, not into an argument. */
function check(directory: string, cloneUrl: string, commit: string): void {
  const { url, origin, header } = split(cloneUrl)
  git(directory, 'init', '--quiet')
  git(directory, 'remote', 'add', 'origin', url)
  appendFileSync(join(directory, '.git/config'), `[http "${origin}/"]\n\textraHeader = ${header}\n`, {
    mode: 0o600,
  })
  git(directory, 'fetch', '--quiet', '--depth=1', '--no-tags', 'origin', commit)
  git(directory, '-c', 'advice.detachedHead=false', 'checkout', '--quiet', '--detach', commit)
}

async function push(directory: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await pushRuns(directory, 'origin')
      return
    } catch (error) {
      if (tries === TRIES) throw temporary('push what came of the job', error)
      await sleep(tries * 1000)
    }
  }
}

if (require.main === module) run(job)
