// The one clone of a project that a worker keeps: brought to a commit with no more work than there is, and cleaned of what
// earlier jobs left.

import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { reasonOf } from '../../lib/base/errno.ts'
import { lasting, quote, temporary } from '../../lib/base/exit.ts'
import { environmentAt, GitError, runGit, sentence } from '../../lib/git/process.ts'
import { isAbsence, isRefusal } from '../../lib/git/refusal.ts'
import { warnOnce } from '../../lib/system/log.ts'

/** How long a server that is away is waited for, in milliseconds, before the attempt counts as lost. */
const AWAY_MAX_MS = 600_000
/** The longest pause between two tries, in milliseconds. */
const PAUSE_MAX_MS = 30_000

export interface Wanted {
  /** Where git fetches from. */
  readonly url: string
  readonly ref: string
  readonly revision: string
}

/**
 * Brings the clone in `directory` to a commit. `all` removes what a `.gitignore` spares, too. A commit that the server
 * does not have, and a server that does not let us in, are lasting errors. One that is away is waited for, `AWAY_MAX_MS` at
 * most: other workers would meet the same, and use up the attempts of the job. Whatever else fails is the system's.
 */
export async function checkOut(
  directory: string,
  { url, ref, revision }: Wanted,
  all: boolean,
  signal: AbortSignal,
): Promise<void> {
  const env = { ...environmentAt(directory), GIT_TERMINAL_PROMPT: '0' }
  const ask = (place: string | undefined, args: readonly string[]) => runGit({ place, env, signal }, args)
  // Hooks of the clone are what an earlier job may have put there.
  const can = async (...args: string[]) =>
    (await ask(directory, ['-c', 'core.hooksPath=/dev/null', ...args])).code === 0
  const git = async (...args: string[]): Promise<void> => {
    const end = await ask(directory, ['-c', 'core.hooksPath=/dev/null', ...args])
    if (end.code !== 0) throw new GitError(sentence(end))
  }
  if (!existsSync(`${directory}/.git/HEAD`) || !(await can('rev-parse', '--git-dir'))) {
    await rm(directory, { recursive: true, force: true })
    mkdirSync(dirname(directory), { recursive: true })
    await ask(undefined, ['init', '-q', '--', directory])
  }
  rmSync(`${directory}/.git/index.lock`, { force: true })
  if (!(await can('cat-file', '-e', `${revision}^{commit}`))) {
    const fetch = (spec: string) => git('fetch', '-q', '--no-tags', '--force', '--', url, spec)
    await untilThere({ url, revision }, signal, async () => {
      await fetch(`+${ref}:refs/bass/${ref}`).catch(() => fetch(revision))
      if (!(await can('cat-file', '-e', `${revision}^{commit}`))) await fetch(revision)
    })
  }
  await git('reset', '-q', '--hard', revision).catch((error: unknown) => {
    throw temporary(`check out ${quote(revision)}`, reasonOf(error))
  })
  await git('clean', '-q', '-ffd', ...(all ? ['-x'] : []))
}

async function untilThere(
  { url, revision }: Omit<Wanted, 'ref'>,
  signal: AbortSignal,
  fetch: () => Promise<void>,
): Promise<void> {
  const end = performance.now() + AWAY_MAX_MS
  for (let pause = 1000; ; pause = Math.min(2 * pause, PAUSE_MAX_MS)) {
    try {
      await fetch()
      return
    } catch (error) {
      if (signal.aborted) throw error
      const why = reasonOf(error)
      if (isAbsence(why)) throw lasting(`fetch ${quote(revision)}`, 'the server does not have it any more')
      if (isRefusal(why)) throw lasting(`fetch from ${quote(url)}`, why)
      if (performance.now() > end) throw temporary(`fetch from ${quote(url)}`, why)
      warnOnce('fetch from', url, error)
      await sleep(pause, undefined, { signal })
    }
  }
}
