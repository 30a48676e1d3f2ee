// The checks of a commit that come of its Testfiles, as git has them. Paths are bytes: each is a string of one character per byte
// (latin1).

import { GitError } from '../../lib/git/repository.ts'
import type { Repository } from '../../lib/git/repository.ts'
import { ENTRIES_MAX, walkTree } from '../../lib/git/walk.ts'
import { badTestfile, checksOf, directoriesOf, testfileIn, unreadable } from '../../lib/testfile/choose.ts'
import type { Check } from '../../lib/testfile/choose.ts'
import { TESTFILE, TESTFILE_MAX } from '../../lib/testfile/testfile.ts'

/** Most checks of one commit. Each is a task for every architecture. */
const CHECKS_MAX = 1000

/** A directory with something called Testfile, and the id of its tree or commit. */
interface Place {
  readonly directory: string
  readonly tree: string
  readonly kind: 'file' | 'executable' | 'link' | 'submodule'
}

/**
 * The checks that a change of these files concerns: those of their directories and of all parents, the deepest first; without
 * files, all there are. Throws GitError.
 */
export async function findChecks(
  code: Repository,
  head: string,
  files: readonly string[] | undefined,
): Promise<Check[]> {
  const places =
    files === undefined ? await allPlaces(code, head) : await placesIn(code, head, directoriesOf(files))
  const checks: Check[] = []
  for (const place of places) checks.push(...(await readPlace(code, place)))
  if (checks.length <= CHECKS_MAX) return checks
  const why = `${checks.length} lines of Testfiles are concerned; only the first ${CHECKS_MAX} are run`
  return [...checks.slice(0, CHECKS_MAX), badTestfile('', why)]
}

/** True if there is a Testfile anywhere in a commit. */
export const hasTestfiles = async (code: Repository, head: string): Promise<boolean> =>
  (await allPlaces(code, head)).length > 0

/** Those of the directories that have a Testfile at the head, in the order given. */
async function placesIn(code: Repository, head: string, directories: readonly string[]): Promise<Place[]> {
  const wanted = new Set(directories)
  const found = new Map<string, Place>()
  const visit = async (directory: string, tree: string): Promise<void> => {
    for (const { kind, name, id } of await code.entries(tree, directory && `${directory}/`)) {
      if (kind !== 'directory') {
        if (name === testfileIn(directory)) found.set(directory, { directory, tree, kind })
      } else if (wanted.has(name)) await visit(name, id)
    }
  }
  if (wanted.has('')) await visit('', head)
  return directories.flatMap(directory => found.get(directory) ?? [])
}

/** All directories with a Testfile, the deepest first. */
async function allPlaces(code: Repository, head: string): Promise<Place[]> {
  const trees = new Map([['', head]])
  const found = new Map<string, Place>()
  let seen = 0
  await walkTree(code, head, '', ({ kind, name, id }) => {
    if (++seen > ENTRIES_MAX) throw new GitError(`it has more than ${ENTRIES_MAX} entries`)
    if (kind === 'directory') trees.set(name, id)
    else if (name === TESTFILE || name.endsWith(`/${TESTFILE}`)) {
      const directory = name.slice(0, -TESTFILE.length - 1)
      found.set(directory, { directory, tree: trees.get(directory)!, kind })
    }
  })
  return directoriesOf([...found.keys()].map(testfileIn)).flatMap(directory => found.get(directory) ?? [])
}

async function readPlace(code: Repository, { directory, tree, kind }: Place): Promise<Check[]> {
  if (kind === 'link' || kind === 'submodule') return [unreadable(directory, `it is a ${kind}, not a file`)]
  const text = await code.file(tree, TESTFILE, TESTFILE_MAX)
  if (text === undefined) return [unreadable(directory, `it is larger than ${TESTFILE_MAX} bytes`)]
  return checksOf([[directory, text.toString('latin1')]])
}
