// Stores the output directory of a run as a commit under `refs/jci-runs/`. A run that goes on may be stored as `running`;
// what it ends with is a child of that commit, so that every push and fetch of it is a fast-forward.

import { GitError, sentence } from '../git/process.ts'
import { gitOutput, runGitIn } from './git-process.ts'
import { drawRunId, refOf } from './run-ref.ts'
import type { RunName } from './run-ref.ts'
import { writeTree } from './tree.ts'

export interface Stored extends RunName {
  readonly ref: string
  /** The commit that the ref names. */
  readonly id: string
  /** The paths of the directory that were left out, each with the reason. */
  readonly skipped: readonly string[]
}

/**
 * Stores a directory as a run of a commit under a name that nobody else has: `run` if that is given, else one that is
 * drawn. Returns undefined if `run` is given and taken. Throws GitError.
 */
export async function storeRun(
  repository: string,
  commit: string,
  directory: string,
  run?: string,
): Promise<Stored | undefined> {
  const { id: tree, skipped } = await writeTree(repository, directory)
  for (;;) {
    const name = { commit, run: run ?? drawRunId(Date.now()) }
    const id = await writeCommit(repository, name, tree)
    const ref = refOf(name)
    if (await moveRef(repository, ref, id, '')) return { ...name, ref, id, skipped }
    if (run !== undefined) return undefined
  }
}

/** Stores a directory in the place of what was stored of the same run. Returns undefined if others have moved the ref. */
export async function replaceRun(
  repository: string,
  before: Pick<Stored, 'commit' | 'run' | 'id'>,
  directory: string,
): Promise<Stored | undefined> {
  const { id: tree, skipped } = await writeTree(repository, directory)
  const { commit, run } = before
  const id = await writeCommit(repository, { commit, run }, tree, before.id)
  const ref = refOf({ commit, run })
  return (await moveRef(repository, ref, id, before.id)) ? { commit, run, ref, id, skipped } : undefined
}

async function writeCommit(
  repository: string,
  { commit, run }: RunName,
  tree: string,
  parent?: string,
): Promise<string> {
  return gitOutput(repository, ['commit-tree', tree, ...(parent === undefined ? [] : ['-p', parent])], {
    input: `CI results for ${commit.slice(0, 12)} (run ${run})\n`,
    env: await identity(repository),
  })
}

/** Used where neither the environment nor the repository names anybody, as in an empty container. */
const NOBODY = { name: 'git-jci', email: 'git-jci@localhost' }

/** The author: from the environment, else the repository, else a fixed name. */
async function identity(repository: string): Promise<Record<string, string>> {
  const args = ['-c', 'user.useConfigOnly=true', 'var', 'GIT_COMMITTER_IDENT']
  const { code, stdout } = await runGitIn(repository, args)
  const [, name, email] = (code === 0 && /^(.*) <(.*)> \d+ [-+]\d+$/m.exec(stdout.toString())) || []
  const who = name && email ? { name, email } : NOBODY
  const given = (variable: string, value: string) => ({ [variable]: process.env[variable] || value })
  return {
    ...given('GIT_COMMITTER_NAME', who.name),
    ...given('GIT_COMMITTER_EMAIL', who.email),
    ...given('GIT_AUTHOR_NAME', who.name),
    ...given('GIT_AUTHOR_EMAIL', who.email),
  }
}

/** Sets a ref that is now at `old`, or not there where that is empty. False if it is not so. Throws GitError. */
async function moveRef(repository: string, ref: string, id: string, old: string): Promise<boolean> {
  const end = await runGitIn(repository, ['update-ref', '--no-deref', '--stdin'], {
    input: old === '' ? `create ${ref} ${id}\n` : `update ${ref} ${id} ${old}\n`,
  })
  if (end.code === 0) return true
  // Only what stands there now tells a ref that others have moved from a disk that is full.
  const { code, stdout } = await runGitIn(repository, ['rev-parse', '--verify', '--quiet', ref])
  const now = code === 0 ? stdout.toString().trim() : ''
  if (now === id && old !== '') return true
  if (now !== old) return false
  throw new GitError(sentence(end))
}
