// The contents of a task: the archives of code and steps, and files that describe them.

import { join } from 'node:path'

import { fsyncPath, write } from '../../lib/system/durable.ts'
import { remove } from '../../lib/system/remove.ts'
import { quote, temporary } from '../../lib/base/exit.ts'
import { linkOrCopy } from '../../lib/spool/fan-out.ts'
import { IMAGE_NAME } from '../../lib/base/elsewhere.ts'
import { pack } from '../../lib/bundle/pack.ts'
import { GitError, Repository } from '../../lib/git/repository.ts'
import type { Commit } from '../../lib/git/repository.ts'
import type { TreeEntry } from '../../lib/git/tree.ts'
import { trace } from '../../lib/system/trace.ts'
import { cachedArchive, makeScratch } from './archive-cache.ts'
import { nameOf, packing } from './extras.ts'
import type { Extras } from './extras.ts'
import { targetsOf } from './link-targets.ts'
import type { Target } from './link-targets.ts'
import { versionOf } from './version.ts'
import { TASK } from '../../lib/spool/job-files.ts'

export interface Sources {
  readonly code: Repository
  /** The repository of the steps; without one they are in the code, in STEPS_DIRECTORY. */
  readonly steps: Repository | undefined
  /** The command that compresses, and its arguments. */
  readonly compressor: readonly string[]
  /** Most bytes of an archive before compression. */
  readonly bundleMax: number
  /** The content of the code's archive beyond its tree. */
  readonly extras: Extras
  /** The content of `limits.txt`. */
  readonly limits: string
  /** Where finished archives are kept. */
  readonly archives: string
  /** How long a version may be. */
  readonly versionMax: number
  /** Versions of the code, by commit, as far as they were needed. */
  readonly versions: Map<string, Promise<string>>
  /** The same of the steps. */
  readonly stepsVersions: Map<string, Promise<string>>
}

export interface Bundle {
  readonly version: string
  /** The path of each archive, by its name in the task. */
  readonly archives: ReadonlyMap<string, string>
  /** The content of each other file. */
  readonly texts: ReadonlyMap<string, string | Buffer>
  /** False if the steps ought to be in the code, and are not. */
  readonly hasSteps: boolean
}

/** Where in the code the steps are that have no repository of their own. */
const STEPS_DIRECTORY = '.bass'

/** Makes, or finds, all that the tasks of a revision are made of. Throws GitError if the code is not to be had. */
export async function makeBundle(
  sources: Sources,
  { ref, revision, params }: { ref: string; revision: string; params: string },
): Promise<Bundle> {
  const { code, versionMax, versions } = sources
  const commit = await code.commit(revision)
  if (!commit) throw new GitError('no such commit')
  // The slowest first.
  const [codeTar, steps, version] = await Promise.all([
    codeOf(sources, commit),
    sources.steps ? stepsOf(sources, sources.steps) : stepsInCode(sources, commit),
    known(versions, commit.id, () => versionOf(code, commit.id, versionMax)),
  ])
  trace('bundled', commit.id)
  return {
    version,
    hasSteps: !steps.missing,
    archives: new Map([
      [TASK.code, codeTar],
      [TASK.steps, steps.tar],
    ]),
    texts: new Map(
      [
        [TASK.revision, commit.id + '\n'],
        ['code-version.txt', version + '\n'],
        ['steps-revision.txt', (steps.revision ?? commit.id) + '\n'],
        ['steps-version.txt', (steps.version ?? version) + '\n'],
        [TASK.ref, ref && ref + '\n'],
        [TASK.params, params],
        [TASK.limits, sources.limits],
      ].filter((entry): entry is [string, string] => entry[1] !== ''),
    ),
  }
}

/**
 * Puts a bundle into the directory of a task, and fsyncs the files. What is equal is one file, also among the tasks that
 * are filled with the same `written`: path by content, of bytes by the very buffer.
 */
export function fillTask(task: string, bundle: Bundle, written = new Map<string | Buffer, string>()): void {
  for (const [name, archive] of bundle.archives) linkOrCopy(archive, join(task, name))
  const fresh: string[] = []
  for (const [name, text] of bundle.texts) {
    const path = join(task, name)
    const equal = written.get(text)
    if (equal !== undefined) {
      linkOrCopy(equal, path)
      continue
    }
    write(path, text)
    written.set(text, path)
    fresh.push(path)
  }
  fresh.forEach(fsyncPath)
}

/** The version of a commit, which is asked for once. */
function known(
  versions: Map<string, Promise<string>>,
  id: string,
  ask: () => Promise<string>,
): Promise<string> {
  const version = versions.get(id) ?? ask()
  versions.set(id, version)
  return version
}

interface Steps {
  readonly tar: string
  /** True if they ought to be in the code, and are not. */
  readonly missing?: boolean
  /** The steps of the code itself, if no other repository is set. */
  readonly revision?: string
  readonly version?: string
}

/** The steps of a repository of their own. That they are not to be had is no fault of the event. */
async function stepsOf(sources: Sources, repository: Repository): Promise<Steps> {
  try {
    const commit = await repository.commit('HEAD')
    if (!commit) throw new GitError('it has no commit yet')
    const [tar, version] = await Promise.all([
      archiveOf(sources, repository, commit),
      known(sources.stepsVersions, commit.id, () => versionOf(repository, commit.id)),
    ])
    return { tar, revision: commit.id, version }
  } catch (error) {
    if (!(error instanceof GitError)) throw error
    throw temporary(`use the steps repository ${quote(repository.path ?? '.')}`, error)
  }
}

/** The steps that a commit brings along; where it has none, its jobs will say so. */
async function stepsInCode(sources: Sources, commit: Commit): Promise<Steps> {
  const { code } = sources
  const tree = await code.tree(commit.id, STEPS_DIRECTORY)
  const targets = tree === undefined ? new Map() : await targetsOf(code, commit.tree, tree, STEPS_DIRECTORY)
  // Many commits have the same steps: they are of no time, so that they are one archive.
  const names = tree === undefined ? [] : (await code.entries(tree)).map(({ name }) => name)
  const missing = names.every(name => name === IMAGE_NAME)
  return { tar: await archiveOf(sources, code, { tree, time: 0 }, targets), missing }
}

/** The archive of the code, with what the project asks for beyond it. */
function codeOf(sources: Sources, commit: Commit): Promise<string> {
  const { code, extras, archives, compressor, bundleMax } = sources
  const name = nameOf(extras)
  if (name === '') return archiveOf(sources, code, commit)
  const ingredients = [FORMAT, code.path ?? '', commit.id, name, '', ...compressor]
  return cachedArchive(archives, ingredients, async fd => {
    const scratch = makeScratch(archives)
    // It may have to wait for others to be fetched, and nobody else does.
    const own = new Repository(code.path, code.signal)
    try {
      const options = { time: commit.time, compressor, maxBytes: bundleMax, signal: code.signal }
      await pack(own, commit.tree, fd, { ...options, ...packing(extras, own, commit, scratch) })
    } finally {
      own.close()
      remove(scratch)
    }
    trace('packed', commit.id)
  })
}

/** Part of the name of every finished archive: changes when the bytes of one do. */
const FORMAT = 'tar 2'

/** The archive of a tree, or of nothing; `targets` are files that take the place of links. */
function archiveOf(
  { archives, compressor, bundleMax }: Sources,
  repository: Repository,
  { tree, time }: { readonly tree: string | undefined; readonly time: number },
  targets: ReadonlyMap<string, Target> = new Map(),
): Promise<string> {
  const others = [...targets].flatMap(([name, { kind, id }]) => [name, kind, id])
  const place = [repository.path ?? '', tree ?? '', String(time)]
  return cachedArchive(archives, [FORMAT, ...place, ...others, '', ...compressor], async fd => {
    const swap = (entry: TreeEntry) => ({ ...entry, ...targets.get(entry.name) })
    const options = { time, compressor, maxBytes: bundleMax, signal: repository.signal, swap }
    await pack(repository, tree, fd, options)
    trace('packed', tree ?? '')
  })
}
