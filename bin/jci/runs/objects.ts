// Many objects of a repository, read with one git process; and one more for each that is damaged.

import { GitError, sentence } from '../../../lib/git/process.ts'
import { runGitIn } from '../../../lib/jci/git-process.ts'
import type { GitObject } from '../../../lib/git/objects.ts'

/** The line in front of an object; in any other, git says that there is none. */
const OBJECT_LINE = /^([0-9a-f]{40,64}) (\w+) (\d+)$/

/**
 * The objects of these names, in their order; undefined for those that are not there, or are damaged. All are held in memory, as parts of
 * one answer. Throws GitError.
 */
export const readObjects = (
  repository: string,
  names: readonly string[],
): Promise<(GitObject | undefined)[]> => askOfObjects(repository, '--batch', names, parseObjects)

/** What git says of the objects of these names, a line each, in `format`; undefined for those that are damaged. Throws GitError. */
export const describeObjects = (
  repository: string,
  format: string,
  names: readonly string[],
): Promise<(string | undefined)[]> =>
  askOfObjects(repository, `--batch-check=${format}`, names, bytes =>
    bytes.toString().split('\n').slice(0, -1),
  )

/** Names no object: git that has no answer to this either does not fail because of an object. */
const NOTHING = '.'

/** Asks of each name, in one line. Git ends at an object that is damaged: another goes on behind it. */
async function askOfObjects<T>(
  repository: string,
  how: string,
  names: readonly string[],
  parse: (bytes: Buffer) => T[],
): Promise<(T | undefined)[]> {
  let answers: (T | undefined)[] = []
  while (answers.length < names.length) {
    const asked = [NOTHING, ...names.slice(answers.length)]
    // One line is one question.
    const input = asked.map(name => (name.includes('\n') ? NOTHING : name) + '\n').join('')
    const end = await runGitIn(repository, ['cat-file', '--buffer', how], { input })
    const found = parse(end.stdout)
    if (end.code === 0 && found.length !== asked.length) throw new GitError('its answer was cut off')
    if (end.code !== 0 && (end.code === null || found.length === 0)) throw new GitError(sentence(end))
    answers = answers.concat(found.slice(1), end.code === 0 ? [] : [undefined])
  }
  return answers
}

/** What `git cat-file --batch` answers to each question; nothing for one whose answer is cut off. */
function parseObjects(bytes: Buffer): (GitObject | undefined)[] {
  const objects: (GitObject | undefined)[] = []
  for (let at = 0; at < bytes.length;) {
    const end = bytes.indexOf(0x0a, at)
    if (end < 0) break
    const [, id, type, size] = OBJECT_LINE.exec(bytes.toString('latin1', at, end)) ?? []
    at = end + 1
    if (id === undefined) {
      objects.push(undefined)
      continue
    }
    const body = bytes.subarray(at, at + Number(size))
    // A line feed is behind it.
    at += Number(size) + 1
    if (at > bytes.length) break
    objects.push({ id, type: type!, size: Number(size), body })
  }
  return objects
}
