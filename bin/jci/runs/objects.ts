// Many objects of a repository, read with one git process.

import { GitError } from '../../../lib/git/process.ts'
import { gitBytes } from '../../../lib/jci/git-process.ts'
import type { GitObject } from '../../../lib/git/objects.ts'

/** The line in front of an object; in any other, git says that there is none. */
const OBJECT_LINE = /^([0-9a-f]{40,64}) (\w+) (\d+)$/

/**
 * The objects of these names, in their order; undefined for those that are not there. All are held in memory, as parts of one
 * answer. Throws GitError.
 */
export async function readObjects(
  repository: string,
  names: readonly string[],
): Promise<(GitObject | undefined)[]> {
  // One line is one question.
  const asked = names.filter(isLine)
  if (asked.length === 0) return names.map(() => undefined)
  const input = asked.map(name => `${name}\n`).join('')
  const answers = parseObjects(await gitBytes(repository, ['cat-file', '--buffer', '--batch'], { input }))
  return names.map(name => (isLine(name) ? answers.next().value : undefined))
}

const isLine = (name: string): boolean => !/[\n\0]/.test(name)

/** What `git cat-file --batch` answers to each question. */
function* parseObjects(bytes: Buffer): Generator<GitObject | undefined, undefined> {
  for (let at = 0; at < bytes.length; at++) {
    const end = bytes.indexOf(0x0a, at)
    const [, id, type, size] = OBJECT_LINE.exec(bytes.toString('latin1', at, end)) ?? []
    at = end
    if (id === undefined) {
      yield undefined
      continue
    }
    const body = bytes.subarray(end + 1, end + 1 + Number(size))
    if (body.length < Number(size)) throw new GitError('its answer was cut off')
    yield { id, type: type!, size: Number(size), body }
    // A line feed is behind it.
    at = end + 1 + Number(size)
  }
  return undefined
}
