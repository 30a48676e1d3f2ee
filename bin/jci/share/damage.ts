// The stored runs that git cannot read: each is said, with what to type, and keeps no other from being pushed.

import { reasonOf } from '../../../lib/base/errno.ts'
import { ended, gitEnvironment, sentence, startGit } from '../../../lib/git/process.ts'
import { isDamage } from '../../../lib/git/refusal.ts'
import { say, warn } from '../../../lib/system/log.ts'
import type { Run } from '../runs/list.ts'

interface Damaged {
  readonly ref: string
  readonly why: string
}

/** Most of them that are said. */
const SAID_MAX = 10

/**
 * Finds the damaged ones among runs, and says which they are, where an error sounds as if there are some. Returns their refs.
 * Throws Fatal if git cannot be started.
 */
export async function tellDamaged(
  repository: string,
  runs: readonly Pick<Run, 'ref' | 'id'>[],
  error: unknown,
): Promise<ReadonlySet<string>> {
  const damaged = isDamage(reasonOf(error)) ? await findDamaged(repository, runs) : []
  for (const { ref, why } of damaged.slice(0, SAID_MAX))
    warn('read the run', ref, `${why}; 'git update-ref -d ${ref}' removes it`)
  if (damaged.length > SAID_MAX) say('warning', `as many more cannot be read: ${damaged.length - SAID_MAX}`)
  return new Set(damaged.map(({ ref }) => ref))
}

/** Halves what git cannot pack until it is single runs. */
async function findDamaged(repository: string, runs: readonly Pick<Run, 'ref' | 'id'>[]): Promise<Damaged[]> {
  const why = runs.length === 0 ? undefined : await whyNotPacked(repository, runs)
  if (why === undefined) return []
  if (runs.length === 1) return [{ ref: runs[0]!.ref, why }]
  const half = runs.length >> 1
  return [
    ...(await findDamaged(repository, runs.slice(0, half))),
    ...(await findDamaged(repository, runs.slice(half))),
  ]
}

/** Why git cannot put runs into a pack, for which it reads all of them; undefined if it can. */
async function whyNotPacked(
  repository: string,
  runs: readonly Pick<Run, 'id'>[],
): Promise<string | undefined> {
  const args = ['pack-objects', '--quiet', '--revs', '--window=0', '--stdout']
  const git = startGit({ place: repository, env: gitEnvironment() }, args, ['pipe', 'ignore', 'pipe'])
  git.stdin?.on('error', () => undefined).end(runs.map(({ id }) => `${id}\n`).join(''))
  const end = await ended(git)
  return end.code === 0 ? undefined : sentence(end)
}
