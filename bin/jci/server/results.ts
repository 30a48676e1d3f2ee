// The runs of a commit that the forge has: asked by git, with the small files alone.

import { existsSync, mkdtempSync } from 'node:fs'
import { join } from 'node:path'

import { makeDirectories } from '../../../lib/system/directories.ts'
import { GitError, gitEnvironment, runGit, sentence } from '../../../lib/git/process.ts'
import { listRuns, readStatuses } from '../runs/list.ts'
import type { Run } from '../runs/list.ts'
import { writeEnded } from '../parts/ended.ts'
import { parseRunRef, RUNS } from '../../../lib/jci/run-ref.ts'
import type { RunStatus } from '../../../lib/jci/run-ref.ts'
import { replaceRun } from '../../../lib/jci/store.ts'
import { remove } from '../../../lib/system/remove.ts'
import type { ForgeClient } from './forge.ts'
import type { Job } from './jobs.ts'

const RESULTS_TIMEOUT_MS = 30_000

export class Results {
  readonly #directory: string
  readonly #forge: ForgeClient
  readonly #stop: AbortSignal

  /** Keeps repositories of its own below `directory`; they can be deleted at any time. */
  constructor(directory: string, forge: ForgeClient, stop: AbortSignal) {
    this.#stop = stop
    this.#directory = directory
    this.#forge = forge
    remove(directory)
    makeDirectories(directory)
  }

  /** The ids of the runs of a job's commit. Throws GitError if the forge does not say. */
  async known(job: Job): Promise<string[]> {
    const args = ['ls-remote', '--refs', this.#forge.repositoryUrl(job), `${RUNS}${job.commit}/*`]
    const text = await this.#git(this.#directory, args)
    return text.split('\n').flatMap(line => parseRunRef(line.split('\t')[1] ?? '')?.run ?? [])
  }

  /** The status of the newest run that was not there when the job was assigned; undefined if there is none. Throws GitError. */
  async look(job: Job): Promise<RunStatus | undefined> {
    const runs = await this.#fetch(job, await this.known(job))
    const words = runs.map(({ status }) => status)
    return words.find(word => word === 'ok' || word === 'err') ?? words[0]
  }

  /**
   * Stores `err`, with this reason, in the place of each run of a job that says `running`: whoever would have ended it is gone. `isOurs`
   * leaves out runs that are another's. What was stored meanwhile stays. Throws GitError.
   */
  async endRuns(job: Job, why: string, isOurs: (run: string) => boolean): Promise<void> {
    const found = await this.#fetch(job, (await this.known(job)).filter(isOurs))
    for (const run of found.filter(({ status }) => status === 'running')) {
      const output = mkdtempSync(join(this.#directory, 'ended-'))
      try {
        writeEnded(output, run, why)
        const repository = this.#repositoryOf(job)
        await replaceRun(repository, run, output)
        // No more than a fast-forward: a run that has ended after all is not overwritten.
        await this.#git(repository, ['push', '--quiet', '--no-verify', 'forge', `${run.ref}:${run.ref}`])
      } finally {
        remove(output)
      }
    }
  }

  /** The job is over. */
  forget(job: Job): void {
    remove(this.#repositoryOf(job))
  }

  #repositoryOf = ({ id }: Job): string => join(this.#directory, `${id}.git`)

  /** Fetches those of these runs that were not there when the job was assigned; newest first. */
  async #fetch(
    job: Job,
    named: readonly string[],
  ): Promise<(Run & { readonly status: RunStatus | undefined })[]> {
    const runs = named.filter(run => !job.known.includes(run))
    if (runs.length === 0) return []
    const repository = this.#repositoryOf(job)
    if (!existsSync(repository)) {
      await this.#git(this.#directory, ['init', '--quiet', '--bare', repository])
      await this.#git(repository, ['config', 'remote.forge.url', this.#forge.repositoryUrl(job)])
    }
    const refs = runs.map(run => `+${RUNS}${job.commit}/${run}:${RUNS}${job.commit}/${run}`)
    // A forge that cannot leave out what is large sends it all.
    const args = [
      'fetch',
      '--quiet',
      '--no-tags',
      '--no-write-fetch-head',
      '--depth=1',
      '--filter=blob:limit=4k',
    ]
    await this.#git(repository, [...args, 'forge', ...refs])
    const found = (await listRuns(repository, [job.commit])).filter(({ run }) => runs.includes(run))
    const statuses = await readStatuses(
      repository,
      found.map(({ id }) => id),
    )
    return found.map(run => ({ ...run, status: statuses.get(run.id) }))
  }

  async #git(place: string, args: readonly string[]): Promise<string> {
    const env = {
      ...gitEnvironment(),
      ...this.#forge.gitCredential,
    }
    const end = await runGit(
      { place, env, signal: AbortSignal.any([this.#stop, AbortSignal.timeout(RESULTS_TIMEOUT_MS)]) },
      args,
    )
    if (end.code !== 0) throw new GitError(sentence(end))
    return end.stdout.toString()
  }
}
