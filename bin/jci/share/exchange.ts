// The stored runs of two repositories, and those that the one lacks. A run that ended is a child of the commit that said
// `running`, so that whoever has that takes a fast-forward, and nothing is ever forced.

import { GitError, sentence } from '../../../lib/git/process.ts'
import type { Ended } from '../../../lib/git/process.ts'
import { gitOutput, runGitIn } from '../../../lib/jci/git-process.ts'
import { rejectionIn } from '../../../lib/git/refusal.ts'
import { counted } from '../../../lib/base/text.ts'
import { listRuns } from '../runs/list.ts'
import { readObjects } from '../runs/objects.ts'
import { parseRunRef, RUNS } from '../../../lib/jci/run-ref.ts'
import { tellDamaged } from './damage.ts'

type Refs = ReadonlyMap<string, string>

/** The stored runs of a remote: the ids by their refs. Throws GitError. */
export async function remoteRuns(repository: string, remote: string): Promise<Refs> {
  const text = await gitOutput(repository, ['ls-remote', '--refs', '--end-of-options', remote, `${RUNS}*`])
  const lines = text.split('\n').map(line => line.split('\t') as [string, string])
  return new Map(lines.flatMap(([id, ref]) => (ref && parseRunRef(ref) ? [[ref, id] as const] : [])))
}

const localRuns = async (repository: string): Promise<Refs> =>
  new Map((await listRuns(repository)).map(({ ref, id }) => [ref, id]))

/** The refs of `ours` that `theirs` lacks or has as they were before; `other` are those that differ in any other way. */
async function compare(repository: string, ours: Refs, theirs: Refs) {
  const differ = [...ours].filter(([ref, id]) => theirs.has(ref) && theirs.get(ref) !== id)
  const commits = await readObjects(
    repository,
    differ.map(([, id]) => id),
  )
  const isNewer = (ref: string, i: number) =>
    new RegExp(`^parent ${theirs.get(ref)!}$`, 'm').test(commits[i]?.body.toString('latin1') ?? '')
  const newer = differ.filter(([ref], i) => isNewer(ref, i)).map(([ref]) => ref)
  const lacking = [...[...ours.keys()].filter(ref => !theirs.has(ref)), ...newer]
  return { lacking, other: differ.length - newer.length }
}

/** How often something is tried while others change the remote. */
const EXCHANGE_TRIES = 5

/** Does something with the runs of a remote, and once more where that fails and others have changed them meanwhile. */
async function withRemote<T>(
  repository: string,
  remote: string,
  act: (theirs: Refs) => Promise<T>,
): Promise<T> {
  let theirs = await remoteRuns(repository, remote)
  for (let tries = 1; ; tries++) {
    try {
      return await act(theirs)
    } catch (error) {
      const now = await remoteRuns(repository, remote)
      const isSame = now.size === theirs.size && [...now].every(([ref, id]) => theirs.get(ref) === id)
      if (isSame || tries === EXCHANGE_TRIES) throw error
      theirs = now
    }
  }
}

/** Sends the runs that a remote lacks, in one push. Returns how many. Throws GitError, also where not all of them can be read. */
export async function pushRuns(repository: string, remote: string): Promise<number> {
  const push = (theirs: Refs) => pushLacking(repository, remote, theirs)
  const { pushed, damaged } = await withRemote(repository, remote, push)
  if (damaged > 0) throw new GitError(`${counted(pushed, 'run')} pushed, ${damaged} damaged`)
  return pushed
}

async function pushLacking(repository: string, remote: string, theirs: Refs) {
  const ours = await localRuns(repository)
  const { lacking, other } = await compare(repository, ours, theirs)
  if (lacking.length === 0) return { pushed: 0, damaged: 0 }
  try {
    // Git finds them itself, unless there are some that it must leave alone.
    if (other === 0) await push(repository, remote, [`${RUNS}*:${RUNS}*`])
    else await pushRefs(repository, remote, lacking)
    return { pushed: lacking.length, damaged: 0 }
  } catch (error) {
    const runs = lacking.map(ref => ({ ref, id: ours.get(ref)! }))
    const damaged = await tellDamaged(repository, runs, error)
    if (damaged.size === 0) throw error
    const whole = lacking.filter(ref => !damaged.has(ref))
    await pushRefs(repository, remote, whole)
    return { pushed: whole.length, damaged: damaged.size }
  }
}

async function pushRefs(repository: string, remote: string, refs: readonly string[]): Promise<void> {
  for (const part of parts(refs))
    await push(
      repository,
      remote,
      part.map(ref => `${ref}:${ref}`),
    )
}

/** Removes runs of a remote, those that are still there. Throws GitError. */
export const removeRemoteRuns = (
  repository: string,
  remote: string,
  refs: readonly string[],
  tell: (done: number) => void,
): Promise<void> =>
  withRemote(repository, remote, async theirs => {
    let done = 0
    for (const part of parts(refs)) {
      const there = part.filter(ref => theirs.has(ref)).map(ref => `:${ref}`)
      if (there.length > 0) await push(repository, remote, there)
      tell((done += part.length))
    }
  })

/** Fetches the runs that a remote has and we lack. Returns how many. Throws GitError. */
export const pullRuns = (repository: string, remote: string): Promise<number> =>
  withRemote(repository, remote, theirs => pullLacking(repository, remote, theirs))

async function pullLacking(repository: string, remote: string, theirs: Refs): Promise<number> {
  const ours = await localRuns(repository)
  const later = new Set((await compare(repository, ours, theirs)).lacking)
  const refs = [...theirs].filter(([ref, id]) => ours.get(ref) !== id && !later.has(ref)).map(([ref]) => ref)
  if (refs.length === 0) return 0
  const args = ['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', '--refmap=', '--stdin']
  const input = refs.map(ref => `${ref}:${ref}\n`).join('')
  const end = await runGitIn(repository, [...args, '--end-of-options', remote], { input })
  if (end.code === 0) return refs.length
  const error = new GitError(sentence(end))
  await tellDamaged(repository, await listRuns(repository), error)
  throw error
}

async function push(repository: string, remote: string, refspecs: readonly string[]): Promise<void> {
  const args = ['push', '--quiet', '--no-verify', '--end-of-options', remote, ...refspecs]
  const end = await runGitIn(repository, args)
  if (end.code !== 0) throw new GitError(refusalOf(end))
}

/** Why a push failed. Git's own sentence says no more than that it did where the remote refused; what that said comes before. Pure. */
function refusalOf(end: Ended): string {
  const [, said] = /^remote: *(\S.*?) *$/m.exec(end.stderr) ?? []
  return [sentence(end), rejectionIn(end.stderr), said].filter(part => part !== undefined).join(': ')
}

/** As many as fit into the arguments of one process: some 150 bytes each, of 2 MB. */
function* parts(refs: readonly string[]): Generator<string[]> {
  for (let at = 0; at < refs.length; at += 5000) yield refs.slice(at, at + 5000)
}
