// The one clone of a project that a worker keeps: brought to a commit with no more work than there is, and cleaned of what
// earlier jobs left.

import { existsSync, lstatSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { reasonOf } from '../../lib/base/errno.ts'
import { lasting, quote, temporary } from '../../lib/base/exit.ts'
import { makeDirectories, makeWritable } from '../../lib/system/directories.ts'
import { environmentAt, GitError, runGit, sentence } from '../../lib/git/process.ts'
import { isAbsence, isRefusal } from '../../lib/git/refusal.ts'
import { warnOnce } from '../../lib/system/log.ts'
import { removeWork } from '../run/work.ts'

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

/** Hooks of the clone are what an earlier job may have put there. */
const NO_HOOKS = ['-c', 'core.hooksPath=/dev/null']
const FETCH_OPTIONS = ['-q', '--no-tags', '--force', '--no-write-fetch-head', '--no-auto-maintenance']

/** What `git cat-file -e` ends with where it cannot read the repository. */
const UNREADABLE = 128

/**
 * Brings the clone in `directory` to a commit. `all` removes what a `.gitignore` spares, too. A commit that the server
 * does not have, and a server that does not let us in, are lasting errors. One that is away is waited for, `AWAY_MAX_MS` at
 * most: other workers would meet the same, and use up the attempts of the job. Whatever else fails is the system's; the clone may
 * be, too, and is made anew the next time. Returns true if something was fetched: then `packClone` is due.
 */
export async function checkOut(
  directory: string,
  wanted: Wanted,
  all: boolean,
  signal: AbortSignal,
): Promise<boolean> {
  const clone = new Clone(directory, wanted, signal)
  // A fetch that was killed may have left the commit without its files.
  const isComplete = (await clone.open()) && (await clone.isReset())
  if (!isComplete) await clone.fetch()
  await clone.clean(all)
  return !isComplete
}

/** Has git pack what was fetched into the clone, if it is much. Nobody should have to wait for that. */
export async function packClone(directory: string): Promise<void> {
  const env = environmentAt(directory)
  const packing = [...NO_HOOKS, 'maintenance', 'run', '--auto', '--quiet']
  await runGit({ place: directory, env }, packing).catch((error: unknown) =>
    warnOnce('pack', directory, error),
  )
}

class Clone {
  readonly #directory: string
  readonly #wanted: Wanted
  readonly #signal: AbortSignal
  readonly #env: NodeJS.ProcessEnv

  constructor(directory: string, wanted: Wanted, signal: AbortSignal) {
    this.#directory = directory
    this.#wanted = wanted
    this.#signal = signal
    this.#env = { ...environmentAt(directory), GIT_TERMINAL_PROMPT: '0' }
  }

  #run(args: readonly string[]) {
    const start = { place: this.#directory, env: this.#env, signal: this.#signal }
    return runGit(start, [...NO_HOOKS, ...args])
  }

  /** Runs git in it. Throws GitError, with git's sentence, if it fails. */
  async git(...args: string[]): Promise<void> {
    const end = await this.#run(args)
    if (end.code !== 0) throw new GitError(sentence(end))
  }

  get #head(): string {
    return join(this.#directory, '.git/HEAD')
  }

  async #look(): Promise<number | null> {
    return (await this.#run(['cat-file', '-e', this.#wanted.revision])).code
  }

  /** Makes it, if it is not there or git cannot read it; true if it has the commit. */
  async open(): Promise<boolean> {
    const found = existsSync(this.#head) ? await this.#look() : UNREADABLE
    if (found === UNREADABLE) {
      if (lstatSync(this.#directory, { throwIfNoEntry: false })) await removeWork(this.#directory)
      makeDirectories(this.#directory)
      await this.git('init', '-q')
    }
    rmSync(join(this.#directory, '.git/index.lock'), { force: true })
    return found === 0
  }

  #reset = () => this.git('reset', '-q', '--hard', this.#wanted.revision)

  /** Does it once more where steps may have taken the rights to directories from us. */
  async #insist(action: () => Promise<void>): Promise<void> {
    await action().catch(async () => {
      await makeWritable(this.#directory)
      await action()
    })
  }

  /** Removes what is not of the commit. */
  clean(all: boolean): Promise<void> {
    return this.#insist(() => this.git('clean', '-q', '-ffd', ...(all ? ['-x'] : [])))
  }

  /** True if its files are those of the commit now. */
  isReset(): Promise<boolean> {
    return this.#insist(this.#reset).then(
      () => true,
      () => false,
    )
  }

  /** Gets the commit from the server, and its files. */
  async fetch(): Promise<void> {
    const { url, ref, revision } = this.#wanted
    const fetch = (spec: string) => this.git('fetch', ...FETCH_OPTIONS, '--', url, spec)
    const isReset = await untilThere({ url, revision }, this.#signal, async () => {
      await fetch(`+${ref}:refs/bass/${ref}`).catch(() => fetch(revision))
      if (await this.isReset()) return true
      // The ref may have been moved since.
      if ((await this.#look()) !== 0) await fetch(revision)
      return false
    })
    if (isReset) return
    await this.#reset().catch((error: unknown) => {
      if (!this.#signal.aborted) rmSync(this.#head, { force: true })
      throw temporary(`check out ${quote(revision)}`, reasonOf(error))
    })
  }
}

async function untilThere<T>(
  { url, revision }: Omit<Wanted, 'ref'>,
  signal: AbortSignal,
  fetch: () => Promise<T>,
): Promise<T> {
  const end = performance.now() + AWAY_MAX_MS
  for (let pause = 1000; ; pause = Math.min(2 * pause, PAUSE_MAX_MS)) {
    try {
      return await fetch()
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
