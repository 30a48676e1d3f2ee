// A version that people can read for each commit, and that can stand in the name of a task.

import { GitError } from '../../lib/git/repository.ts'
import type { Repository } from '../../lib/git/repository.ts'
import { toPart } from '../../lib/spool/task-name.ts'

/** The version of a commit, of at most `max` bytes; throws GitError if there is no such commit. */
export async function versionOf(repository: Repository, revision: string, max?: number): Promise<string> {
  // Both at once: each is a process to be waited for.
  const [described, commit] = await Promise.all([repository.describe(revision), repository.commit(revision)])
  if (described !== undefined) return toPart(described, max)
  if (!commit) throw new GitError('no such commit')
  return `${day(commit.time)}-${await repository.shorten(commit.id)}`
}

/** The day of an instant, in seconds since 1970, in UTC: `20261121`. Git allows instants that no calendar has. Pure. */
export function day(seconds: number): string {
  const instant = new Date(Math.min(seconds, 253_402_300_799) * 1000)
  return instant.toISOString().slice(0, 10).replaceAll('-', '')
}
