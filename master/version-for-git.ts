// A version that people can read for each commit, and that can stand in the name of a task.

import { command, run } from '../lib/command.ts'
import { EXIT, lasting, quote } from '../lib/exit.ts'
import { GitError, Repository } from '../lib/git.ts'
import { print } from '../lib/print.ts'
import { toPart } from '../lib/task-name.ts'

export const versionForGit = command(
  {
    name: 'version-for-git',
    usage: '[REV]',
    operands: [0, 1],
    about: `Prints a human-readable version of a commit of the repository in the current directory.

REV is anything that git resolves to a commit, HEAD if it is not given. The version is that of the nearest
tag: v1.2 for the commit that is tagged, v1.2-3-gabc1234 for the third one behind it; without tags it is the
day it was committed (UTC) and the short id, 20261121-abc1234. The work tree does not matter, so it is never
dirty. Bytes that may not stand in the name of a task become '-'; of a long version the end is kept.`,
  },
  async ([revision = 'HEAD']) => {
    const repository = new Repository()
    try {
      print((await versionOf(repository, revision)) + '\n')
      return EXIT.done
    } catch (error) {
      if (error instanceof GitError) throw lasting(`describe ${quote(revision)}`, error)
      throw error
    } finally {
      repository.close()
    }
  },
)

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

if (require.main === module) run(versionForGit, 'small')
