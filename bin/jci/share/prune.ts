// git jci prune: removes old runs.

import { lasting, quote } from '../../../lib/base/exit.ts'
import { ago, counted, formatBytes } from '../../../lib/base/text.ts'
import { reasonOf } from '../../../lib/base/errno.ts'
import { GitError } from '../../../lib/git/process.ts'
import { gitOutput } from '../../../lib/jci/git-process.ts'
import { listRuns } from '../runs/list.ts'
import { describeObjects } from '../runs/objects.ts'
import type { Run } from '../runs/list.ts'
import { parseRunRef, secondsOf } from '../../../lib/jci/run-ref.ts'
import { command, usage } from '../../../lib/system/command.ts'
import { OURS } from '../ours.ts'
import { endDeadRuns } from '../parts/owners.ts'
import { findRepository } from '../parts/repository.ts'
import { remoteRuns, removeRemoteRuns } from './exchange.ts'
import { parseAge } from './age.ts'
import { tellDamaged } from './damage.ts'
import { sizesOf } from './sizes.ts'

const description = {
  name: 'git-jci prune',
  usage: '[--older-than AGE] [--on-remote REMOTE] [--commit] [--no-gc]',
  operands: [0, 0],
  about: `Shows which stored runs are old, and removes them with --commit.

Here these are the runs older than AGE, and those whose commit is gone from this repository; on a remote, those older
than AGE. AGE is as 30d, 2w, 6m (months of 30 days) or 4h, or a span such as 1h30m or 90m30s.

After it has removed runs here, it runs 'git gc --prune=now', which frees the space at once. That also removes every other
object that nothing refers to, such as commits that only a closed editor or a mistaken reset still needs: with --no-gc
git removes them after its usual two weeks.`,
  options: {
    'older-than': { type: 'string', value: 'AGE', about: 'how old a run may become' },
    'on-remote': { type: 'string', value: 'REMOTE', about: 'runs of this remote, not of this repository' },
    commit: { type: 'boolean', about: 'remove them' },
    'no-gc': { type: 'boolean', about: 'do not run git gc' },
  },
  ...OURS,
} as const

export const verb = command(description, async (_, options) => {
  const repository = findRepository()
  const age = options['older-than'] === undefined ? undefined : parseAge(options['older-than'])
  if (typeof age === 'object') throw usage(description, age.why)
  const before = age === undefined ? undefined : Date.now() / 1000 - age
  const remote = options['on-remote']
  try {
    if (remote === undefined) await endDeadRuns(repository)
    const runs = remote === undefined ? await listRuns(repository) : await runsOf(repository, remote)
    const gone = remote === undefined ? await goneCommits(repository, runs) : new Set<string>()
    const chosen = runs.filter(
      ({ commit, run }) => gone.has(commit) || (before !== undefined && secondsOf(run) < before),
    )
    await show(repository, chosen, gone, remote === undefined ? 'damaged' : 'not here')
    if (!options.commit) {
      if (chosen.length > 0) process.stdout.write('nothing is removed without --commit\n')
      return
    }
    if (remote === undefined) await removeHere(repository, chosen, options['no-gc'])
    else
      await removeRemoteRuns(
        repository,
        remote,
        chosen.map(({ ref }) => ref),
        bar(chosen.length),
      )
  } catch (error) {
    throw lasting(`prune ${quote(remote ?? repository)}`, error)
  }
})

async function runsOf(repository: string, remote: string): Promise<Run[]> {
  const refs = await remoteRuns(repository, remote)
  return [...refs].map(([ref, id]) => ({ ...parseRunRef(ref)!, ref, id }))
}

/** The tested commits that the repository has no more. */
async function goneCommits(repository: string, runs: readonly Run[]): Promise<Set<string>> {
  const commits = [...new Set(runs.map(({ commit }) => commit))]
  const lines = await describeObjects(repository, '%(objecttype)', commits)
  return new Set(commits.filter((_, i) => lines[i]?.endsWith(' missing')))
}

/** `absent` stands in the place of the size of what is not in this repository. */
async function show(
  repository: string,
  runs: readonly Run[],
  gone: ReadonlySet<string>,
  absent: string,
): Promise<void> {
  const sizes = await sizesOf(
    repository,
    runs.map(({ id }) => id),
  )
  const now = Date.now()
  let [text, sum] = ['', 0]
  for (const { commit, run, id } of runs) {
    const size = sizes.get(id) ?? absent
    if (typeof size === 'number') sum += size
    const age = ago(Math.max(0, now - secondsOf(run) * 1000))
    const why = gone.has(commit) ? '  its commit is gone' : ''
    text += `${commit.slice(0, 12)}/${run}  ${age.padStart(10)}  ${typeof size === 'number' ? formatBytes(size) : size}${why}\n`
  }
  process.stdout.write(`${text}${counted(runs.length, 'run')}, ${formatBytes(sum)}\n`)
}

async function removeHere(repository: string, runs: readonly Run[], noGc: boolean): Promise<void> {
  if (runs.length === 0) return
  const tell = bar(runs.length)
  const input = runs.map(({ ref, id }) => `delete ${ref} ${id}\n`).join('')
  await gitOutput(repository, ['update-ref', '--no-deref', '--stdin'], { input })
  tell(runs.length)
  if (noGc) return
  try {
    await gitOutput(repository, ['gc', '--quiet', '--prune=now'])
  } catch (error) {
    await tellDamaged(repository, await listRuns(repository), error)
    throw new GitError(`the runs are removed, but 'git gc' frees nothing: ${reasonOf(error)}`)
  }
}

/** A bar on the terminal, if there is one. */
function bar(all: number): (done: number) => void {
  return done => {
    if (!process.stderr.isTTY) return
    const full = Math.round((done / Math.max(1, all)) * 40)
    process.stderr.write(`\r[${'#'.repeat(full).padEnd(40)}] ${done}/${all}${done === all ? '\n' : ''}`)
  }
}
