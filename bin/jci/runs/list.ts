// The stored runs of a repository, and how each ended: one git process for the refs and one for the statuses, however
// many runs there are.

import { createHash } from 'node:crypto'

import { GitError, sentence } from '../../../lib/git/process.ts'
import { runGitIn } from '../../../lib/jci/git-process.ts'
import { warnOnce } from '../../../lib/system/log.ts'
import { describeObjects, readObjects } from './objects.ts'
import { parseRunRef, parseStatus, RUNS, secondsOf } from '../../../lib/jci/run-ref.ts'
import type { RunName, RunStatus } from '../../../lib/jci/run-ref.ts'

export interface Run extends RunName {
  readonly ref: string
  /** The commit that holds what was stored. */
  readonly id: string
}

/** The stored runs of these commits, or of all; newest first. Refs whose names are none of ours are left out. Throws GitError. */
export async function listRuns(repository: string, commits?: readonly string[]): Promise<Run[]> {
  if (commits?.length === 0) return []
  return runsAmong(await listRefs(repository, commits ? refPatterns(commits) : [RUNS]))
}

/** The patterns of the refs of these commits' runs. */
export const refPatterns = (commits: readonly string[]): string[] =>
  commits.map(commit => `${RUNS}${commit}/`)

export interface Ref {
  readonly id: string
  readonly ref: string
  /** True for the branch that is checked out. */
  readonly head: boolean
}

/** The refs below some, sorted by name. Says which it cannot read. Throws GitError. */
export async function listRefs(repository: string, patterns: readonly string[]): Promise<Ref[]> {
  const format = '--format=%(HEAD)%(objectname) %(refname)'
  const end = await runGitIn(repository, ['for-each-ref', format, ...patterns])
  if (end.code !== 0) throw new GitError(sentence(end))
  for (const [, ref] of end.stderr.matchAll(/^warning: ignoring broken ref (\S+)$/gm))
    warnOnce('read the ref', ref!, `no id is in it; 'rm "$(git rev-parse --git-path ${ref!})"' removes it`)
  return end.stdout
    .toString()
    .split('\n')
    .filter(Boolean)
    .map(line => {
      const space = line.indexOf(' ', 1)
      return { head: line.startsWith('*'), id: line.slice(1, space), ref: line.slice(space + 1) }
    })
}

/** The runs among refs, newest first. Pure. */
export const runsAmong = (refs: readonly Ref[]): Run[] =>
  refs
    .flatMap(({ id, ref }) => {
      const name = parseRunRef(ref)
      return name ? [{ ...name, ref, id }] : []
    })
    .sort((a, b) => secondsOf(b.run) - secondsOf(a.run) || (a.run < b.run ? 1 : -1))

/** How runs ended, by their commit's id; one that says nothing we know is not there. Throws GitError. */
export async function readStatuses(
  repository: string,
  ids: readonly string[],
): Promise<Map<string, RunStatus>> {
  const asked = [...new Set(ids)]
  if (asked.length === 0) return new Map()
  const names = asked.map(id => `${id}:status.txt`)
  const lines = await describeObjects(repository, '%(objectname) %(objecttype) %(objectsize)', names)
  const blobs = lines.map(line => /^([0-9a-f]{40,64}) blob \d{1,2}$/.exec(line ?? '')?.[1])
  const unusual = [...new Set(blobs)].filter(blob => blob !== undefined && !USUAL.has(blob)) as string[]
  const known = new Map(USUAL)
  for (const object of await readObjects(repository, unusual)) {
    const status = object && parseStatus(object.body.toString())
    if (status) known.set(object.id, status)
  }
  return new Map(
    asked.flatMap((id, i): [string, RunStatus][] => {
      const status = known.get(blobs[i] ?? '')
      return status ? [[id, status]] : []
    }),
  )
}

/** The ids of the usual contents of `status.txt`: they need not be read. */
const USUAL = new Map(
  (['ok', 'err', 'running'] as const).flatMap(word =>
    [word, `${word}\n`].flatMap(content =>
      ['sha1', 'sha256'].map((hash): [string, RunStatus] => [
        createHash(hash).update(`blob ${content.length}\0${content}`).digest('hex'),
        word,
      ]),
    ),
  ),
)
