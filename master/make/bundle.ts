// What a task is made of: the code and the steps as compressed archives, and what they are, in words.

import { join } from 'node:path'

import { fsyncPath, write } from '../../lib/system/durable.ts'
import { lasting, quote, temporary } from '../../lib/base/exit.ts'
import { linkOrCopy } from '../../lib/spool/fan-out.ts'
import { FilterError, GitError } from '../../lib/git/repository.ts'
import type { Repository } from '../../lib/git/repository.ts'
import { shellQuote } from '../../lib/base/shell-quote.ts'
import { trace } from '../../lib/system/trace.ts'
import { archived } from './archive-cache.ts'
import { versionOf } from './version.ts'

export interface Sources {
  readonly code: Repository
  /** The repository of the steps; without one they are in the code, in STEPS_DIRECTORY. */
  readonly steps: Repository | undefined
  /** The command that compresses, and its arguments. */
  readonly compressor: readonly string[]
  /** Where finished archives are kept. */
  readonly archives: string
  /** How long a version may be. */
  readonly versionMax: number
  /** The version of the steps at each of their commits, as far as it was asked. */
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

/** The tree without entries, which git knows without having it: by SHA-1, and by SHA-256. */
const EMPTY_TREES = [
  '4b825dc642cb6eb9a060e54bf8d69288fbee4904',
  '6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321',
]

/** Makes, or finds, all that the tasks of a revision are made of. Throws GitError if the code is not to be had. */
export async function makeBundle(
  sources: Sources,
  { ref, revision, params }: { ref: string; revision: string; params: string },
): Promise<Bundle> {
  const { code, versionMax } = sources
  const commit = await code.commit(revision)
  if (!commit) throw new GitError('no such commit')
  // The slowest first.
  const [codeTar, steps, version] = await Promise.all([
    archiveOf(sources, code, commit.id),
    sources.steps ? stepsOf(sources, sources.steps) : stepsInCode(sources, commit.id),
    versionOf(code, commit.id, versionMax),
  ])
  trace('bundled', commit.id)
  return {
    version,
    hasSteps: !steps.missing,
    archives: new Map([
      ['code.tar', codeTar],
      ['steps.tar', steps.tar],
    ]),
    texts: new Map(
      [
        ['code-revision.txt', commit.id + '\n'],
        ['code-version.txt', version + '\n'],
        ['steps-revision.txt', (steps.revision ?? commit.id) + '\n'],
        ['steps-version.txt', (steps.version ?? version) + '\n'],
        ['ref.txt', ref && ref + '\n'],
        ['params.txt', params],
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

interface Steps {
  readonly tar: string
  /** True if they ought to be in the code, and are not. */
  readonly missing?: boolean
  /** Those of the code where they are not given. */
  readonly revision?: string
  readonly version?: string
}

/** The steps of a repository of their own. That they are not to be had is no fault of the event. */
async function stepsOf(sources: Sources, repository: Repository): Promise<Steps> {
  try {
    const commit = await repository.commit('HEAD')
    if (!commit) throw new GitError('it has no commit yet')
    const asked = sources.stepsVersions.get(commit.id) ?? versionOf(repository, commit.id)
    sources.stepsVersions.set(commit.id, asked)
    const [tar, version] = await Promise.all([archiveOf(sources, repository, commit.id), asked])
    return { tar, revision: commit.id, version }
  } catch (error) {
    if (!(error instanceof GitError)) throw error
    throw temporary(`use the steps repository ${quote(repository.path ?? '.')}`, error)
  }
}

/** The steps that a commit brings along; where it has none, its jobs will say so. */
async function stepsInCode(sources: Sources, commit: string): Promise<Steps> {
  const empty = EMPTY_TREES.find(({ length }) => length === commit.length)!
  const tree = await sources.code.tree(commit, STEPS_DIRECTORY)
  return { tar: await archiveOf(sources, sources.code, tree ?? empty), missing: tree === undefined }
}

/**
 * The command that compresses what git archives. zstd reads, compresses and writes with a thread for each, which get into the way
 * of git where there are two processors; who asks for nothing else is better served by one.
 */
function filterOf(compressor: readonly string[]): string {
  const isPlain = compressor.join(' ') === 'zstd -q -1'
  return ['exec', ...compressor.map(shellQuote), ...(isPlain ? ['--single-thread'] : [])].join(' ')
}

/** The archive of a commit or tree. */
function archiveOf({ archives, compressor }: Sources, repository: Repository, id: string): Promise<string> {
  return archived(archives, [repository.path ?? '', id, ...compressor], async fd => {
    try {
      await repository.archive(id, filterOf(compressor), fd)
    } catch (error) {
      if (!(error instanceof FilterError)) throw error
      if (error.message.endsWith(': not found'))
        throw lasting(`run ${quote(compressor[0]!)}`, 'no such program')
      throw temporary(`compress with ${quote(compressor.join(' '))}`, error)
    }
    trace('packed', id)
  })
}
