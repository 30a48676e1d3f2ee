// What the pages and the API tell of a repository. The number of git processes for an answer depends on nothing.

import { gitOutput, runGit } from '../../../lib/jci/git-process.ts'
import { listRuns, readStatuses } from '../runs/list.ts'
import type { Run } from '../runs/list.ts'
import type { RunStatus } from '../../../lib/jci/run-ref.ts'
import { readObjects } from '../runs/objects.ts'

/** How the API calls a status; empty where there is none. */
export type Word = 'success' | 'failed' | 'running' | ''

const WORDS = { ok: 'success', err: 'failed', running: 'running' } as const
const wordOf = (status: RunStatus | undefined): Word => (status ? WORDS[status] : '')

export interface RunView {
  readonly runId: string
  readonly status: Word
  readonly ref: string
}

export interface RunCommitView {
  readonly hash: string
  readonly shortHash: string
  readonly message: string
  readonly hasCI: boolean
  readonly ciStatus: Word
  readonly runs: readonly RunView[]
}

export interface CommitPage {
  readonly branch: string
  readonly page: number
  readonly pageSize: number
  readonly hasMore: boolean
  readonly commits: readonly RunCommitView[]
}

export interface Detail {
  readonly hash: string
  readonly message: string
  readonly author: string
  /** As ISO 8601; empty where the commit is not in this repository. */
  readonly date: string
  readonly status: Word
  readonly files: readonly string[]
  readonly ref: string
  readonly runId: string
  /** The commit that holds the run. */
  readonly id: string
  readonly runs: readonly RunView[]
}

const PAGE_SIZE = 100

/** The names of the branches, the one that is checked out first. */
export async function readBranches(repository: string): Promise<string[]> {
  const format = '--format=%(HEAD)%(refname)'
  const lines = (await gitOutput(repository, ['for-each-ref', format, 'refs/heads/']))
    .split('\n')
    .filter(Boolean)
  const names = lines.map(line => line.slice(1 + 'refs/heads/'.length))
  const head = lines.findIndex(line => line.startsWith('*'))
  return head > 0 ? [names[head]!, ...names.filter((_, i) => i !== head)] : names
}

/** A page of the commits of a branch, newest first; undefined if there is no such branch. */
export async function readRunCommits(
  repository: string,
  branch: string,
  page: number,
): Promise<CommitPage | undefined> {
  // A name that git itself lists is no option and no range.
  if (!(await readBranches(repository)).includes(branch)) return undefined
  const range = [`--skip=${page * PAGE_SIZE}`, `--max-count=${PAGE_SIZE + 1}`]
  const log = await gitOutput(repository, [
    'log',
    '-z',
    '--format=%H %s',
    ...range,
    `refs/heads/${branch}`,
    '--',
  ])
  const lines = log.split('\0').filter(line => line !== '')
  const heads = lines.slice(0, PAGE_SIZE).map(line => [line.slice(0, line.indexOf(' ')), line] as const)
  const runs = await viewsOf(
    repository,
    heads.map(([hash]) => hash),
  )
  const commits = heads.map(([hash, line]) => {
    const own = runs.get(hash) ?? []
    return {
      hash,
      shortHash: hash.slice(0, 7),
      message: line.slice(hash.length + 1),
      hasCI: own.length > 0,
      ciStatus: own[0]?.status ?? '',
      runs: own,
    } as const
  })
  return { branch, page, pageSize: PAGE_SIZE, hasMore: lines.length > PAGE_SIZE, commits }
}

/** The runs of commits, newest first. */
async function viewsOf(repository: string, commits: readonly string[]): Promise<Map<string, RunView[]>> {
  const runs = await listRuns(repository, commits)
  const statuses = await readStatuses(
    repository,
    runs.map(({ id }) => id),
  )
  const views = new Map<string, RunView[]>()
  for (const { commit, run, ref, id } of runs) {
    const view = { runId: run, status: wordOf(statuses.get(id)), ref }
    views.set(commit, [...(views.get(commit) ?? []), view])
  }
  return views
}

/** A run of a commit, the latest if none is named; undefined if there is none. */
export async function readRun(repository: string, hash: string, run?: string): Promise<Detail | undefined> {
  const found = (await listRuns(repository, [hash])).find(one => run === undefined || one.run === run)
  if (!found) return undefined
  const [files, views, [commit]] = await Promise.all([
    filesOf(repository, found),
    viewsOf(repository, [hash]),
    readObjects(repository, [hash]),
  ])
  const runs = views.get(hash) ?? []
  const text = commit?.type === 'commit' ? commit.body.toString() : ''
  const [, author = '', seconds] = /^author (.*) <.*> (\d+) [-+]\d+$/m.exec(text) ?? []
  return {
    hash,
    message: text.slice(text.indexOf('\n\n') + 2).split('\n', 1)[0]!,
    author,
    date: seconds === undefined ? '' : new Date(Number(seconds) * 1000).toISOString(),
    status: runs.find(({ runId }) => runId === found.run)?.status ?? '',
    files,
    ref: found.ref,
    runId: found.run,
    id: found.id,
    runs,
  }
}

async function filesOf(repository: string, { id }: Run): Promise<string[]> {
  const names = await gitOutput(repository, ['ls-tree', '-r', '-z', '--name-only', id])
  return names.split('\0').filter(name => name !== '')
}

/** A file of a run; undefined if there is none of that path. Symbolic links are what they say, and are not followed. */
export async function findFile(
  repository: string,
  id: string,
  path: string,
): Promise<{ blob: string; size: number } | undefined> {
  if (/[\n\0]/.test(path)) return undefined
  const args = ['cat-file', '--batch-check=%(objectname) %(objecttype) %(objectsize)']
  const { stdout } = await runGit(repository, args, { input: `${id}:${path}\n` })
  const [, blob, size] = /^([0-9a-f]{40,64}) blob (\d+)\n$/.exec(stdout.toString()) ?? []
  return blob === undefined ? undefined : { blob, size: Number(size) }
}
