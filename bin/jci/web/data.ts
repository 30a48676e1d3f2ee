// The data of the pages and the API. The number of git processes for an answer depends on nothing.

import { LRUCache } from 'lru-cache'

import { GitError } from '../../../lib/git/process.ts'
import { gitBytes, gitOutput } from '../../../lib/jci/git-process.ts'
import { listRefs, listRuns, refPatterns, readStatuses, runsAmong } from '../runs/list.ts'
import type { Ref, Run } from '../runs/list.ts'
import type { RunStatus } from '../../../lib/jci/run-ref.ts'
import { shownName } from '../../../lib/system/byte-names.ts'
import { readObjects } from '../runs/objects.ts'

/** How the API calls a status; empty where there is none. */
export type StatusWord = 'success' | 'failed' | 'running' | ''

const WORDS = { ok: 'success', err: 'failed', running: 'running' } as const
const wordOf = (status: RunStatus | undefined): StatusWord => (status ? WORDS[status] : '')

export interface RunView {
  readonly runId: string
  readonly status: StatusWord
  readonly ref: string
}

export interface RunCommitView {
  readonly hash: string
  readonly shortHash: string
  readonly message: string
  readonly hasCI: boolean
  readonly ciStatus: StatusWord
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
  readonly status: StatusWord
  readonly files: readonly string[]
  /** Why there are none, where git cannot read them. */
  readonly unread?: string
  readonly ref: string
  readonly runId: string
  /** The commit that holds the run. */
  readonly id: string
  readonly runs: readonly RunView[]
}

const PAGE_SIZE = 100

const BRANCHES = 'refs/heads/'

/** The first lines of a page of the log: what changes only with the branch. */
interface Head {
  readonly hash: string
  readonly message: string
}

/** The memory: pages of logs by their tips, and statuses by the commits that hold them. Neither ever changes. */
const PAGES_MAX = 200
const STATUSES_MAX = 100_000

export class RunsReader {
  readonly #repository: string
  readonly #heads = new LRUCache<string, readonly Head[]>({ max: PAGES_MAX })
  readonly #statuses = new LRUCache<string, RunStatus>({ max: STATUSES_MAX })
  #branches: readonly Ref[] = []

  constructor(repository: string) {
    this.#repository = repository
  }

  /** The names of the branches, the one that is checked out first. */
  async branches(): Promise<string[]> {
    return this.#take(await listRefs(this.#repository, [BRANCHES]))
  }

  /**
   * All branches, and a page of the commits of one, newest first; without a name of the first one. No page if there is no such
   * branch. Where the branch is as it was, one listing tells that and the runs.
   */
  async commits(
    name: string | undefined,
    page: number,
  ): Promise<{ branches: string[]; commits: CommitPage | undefined }> {
    const repository = this.#repository
    const before = this.#tipOf(name)
    const known = before === undefined ? undefined : await this.#headsAt(before, page).catch(passGone)
    const asked = [BRANCHES, ...refPatterns((known ?? []).map(({ hash }) => hash))]
    const refs = await listRefs(repository, asked)
    const branches = this.#take(refs)
    const branch = name ?? branches[0]
    const tip = this.#tipOf(branch)
    // A name that git itself lists is no option and no range.
    if (branch === undefined || tip === undefined) return { branches, commits: undefined }
    const heads = await this.#headsAt(tip, page)
    const shown = heads.slice(0, PAGE_SIZE)
    const runs =
      heads === known
        ? runsAmong(refs)
        : await listRuns(
            repository,
            shown.map(({ hash }) => hash),
          )
    const views = await this.#views(runs)
    const commits = shown.map(({ hash, message }) => viewOf(hash, message, views.get(hash) ?? []))
    return {
      branches,
      commits: { branch, page, pageSize: PAGE_SIZE, hasMore: heads.length > PAGE_SIZE, commits },
    }
  }

  /** A run of a commit, the latest if none is named; undefined if there is none. */
  async run(hash: string, run?: string): Promise<Detail | undefined> {
    const all = await listRuns(this.#repository, [hash])
    const found = all.find(one => run === undefined || one.run === run)
    if (!found) return undefined
    const [listed, views, [commit]] = await Promise.all([
      filesOf(this.#repository, found),
      this.#views(all),
      readObjects(this.#repository, [hash]),
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
      ...listed,
      ref: found.ref,
      runId: found.run,
      id: found.id,
      runs,
    }
  }

  /** Remembers the branches among refs; returns their names. */
  #take(refs: readonly Ref[]): string[] {
    const branches = refs.filter(({ ref }) => ref.startsWith(BRANCHES))
    this.#branches = [...branches.filter(({ head }) => head), ...branches.filter(({ head }) => !head)]
    return this.#branches.map(({ ref }) => ref.slice(BRANCHES.length))
  }

  /** The commits of a page, and the one behind it. Throws GitError. */
  async #headsAt(tip: string, page: number): Promise<readonly Head[]> {
    const key = `${tip} ${page}`
    const heads = this.#heads.get(key) ?? (await readHeads(this.#repository, tip, page))
    this.#heads.set(key, heads)
    return heads
  }

  #tipOf(branch: string | undefined): string | undefined {
    const refs = this.#branches
    return (branch === undefined ? refs[0] : refs.find(({ ref }) => ref === BRANCHES + branch))?.id
  }

  /** The runs by their commits, in their order. */
  async #views(runs: readonly Run[]): Promise<Map<string, RunView[]>> {
    const unknown = runs.map(({ id }) => id).filter(id => !this.#statuses.has(id))
    for (const [id, status] of await readStatuses(this.#repository, unknown)) this.#statuses.set(id, status)
    const views = new Map<string, RunView[]>()
    for (const { commit, run, ref, id } of runs) {
      const view = { runId: run, status: wordOf(this.#statuses.get(id)), ref }
      const list = views.get(commit)
      if (list) list.push(view)
      else views.set(commit, [view])
    }
    return views
  }
}

/** A tip that a branch has left may be gone. */
function passGone(error: unknown): undefined {
  if (!(error instanceof GitError)) throw error
}

async function readHeads(repository: string, tip: string, page: number): Promise<Head[]> {
  const range = [`--skip=${page * PAGE_SIZE}`, `--max-count=${PAGE_SIZE + 1}`]
  const log = await gitOutput(repository, ['log', '-z', '--format=%H %s', ...range, tip, '--'])
  return log
    .split('\0')
    .filter(line => line !== '')
    .map(line => {
      const space = line.indexOf(' ')
      return { hash: line.slice(0, space), message: line.slice(space + 1) }
    })
}

const viewOf = (hash: string, message: string, runs: readonly RunView[]): RunCommitView => ({
  hash,
  shortHash: hash.slice(0, 7),
  message,
  hasCI: runs.length > 0,
  ciStatus: runs[0]?.status ?? '',
  runs,
})

interface FileEntry {
  /** Its path as it is shown and asked for: names are bytes, and may be no UTF-8. */
  readonly path: string
  readonly blob: string
  /** In bytes; undefined where git cannot read it. */
  readonly size: number | undefined
}

async function entriesOf(repository: string, id: string): Promise<FileEntry[]> {
  const bytes = await gitBytes(repository, ['ls-tree', '-r', '-z', '-l', id])
  return bytes
    .toString('latin1')
    .split('\0')
    .flatMap(entry => {
      const [, blob, size, name] = /^\d+ blob ([0-9a-f]+) +(\d+|BAD)\t([^]*)$/.exec(entry) ?? []
      if (name === undefined) return []
      const path = shownName(Buffer.from(name, 'latin1'))
      return [{ path, blob: blob!, size: size === 'BAD' ? undefined : Number(size) }]
    })
}

/** The paths of a run's files, or why there are none. */
async function filesOf(repository: string, { id }: Run): Promise<Pick<Detail, 'files' | 'unread'>> {
  try {
    return { files: (await entriesOf(repository, id)).map(({ path }) => path) }
  } catch (error) {
    if (error instanceof GitError) return { files: [], unread: error.message }
    throw error
  }
}

/** A file of a run; undefined if there is none of that path. Symbolic links are what they say, and are not followed. */
export const findFile = async (
  repository: string,
  id: string,
  path: string,
): Promise<FileEntry | undefined> => (await entriesOf(repository, id)).find(entry => entry.path === path)
