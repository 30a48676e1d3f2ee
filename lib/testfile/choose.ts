// Which directories a change concerns, and which checks come of their Testfiles. Pure. Paths are relative to the root of the
// code, which is the empty path itself.

import { checkName } from './check-name.ts'
import { parseTestfile, TESTFILE } from './testfile.ts'

/** The directories of files, and all their parents up to the root: the deepest first, those of one depth by name. */
export function directoriesOf(files: Iterable<string>): string[] {
  const found = new Set<string>()
  for (const file of files) {
    // The directories above one that was found have been found as well.
    for (let path = parentOf(file); !found.has(path); path = parentOf(path)) found.add(path)
  }
  return [...found].sort(byDepth)
}

const parentOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')))

const depthOf = (directory: string): number => (directory === '' ? 0 : directory.split('/').length)

const byDepth = (a: string, b: string): number => depthOf(b) - depthOf(a) || (a < b ? -1 : a > b ? 1 : 0)

/** The path of the Testfile of a directory. */
export const testfileIn = (directory: string): string =>
  directory === '' ? TESTFILE : `${directory}/${TESTFILE}`

/** One check of a commit: a command to run in a directory, or what is wrong with the Testfile there. */
export type Check = { readonly name: string; readonly directory: string } & (
  { readonly command: string } | { readonly error: string }
)

/**
 * The checks of Testfiles, by their directories, in the order of these and of the lines. A file that cannot be read is one
 * check, which says so with file and line, and does not stop the others.
 */
export function checksOf(testfiles: Iterable<readonly [directory: string, text: string]>): Check[] {
  const checks: Check[] = []
  for (const [directory, text] of testfiles) {
    const parsed = parseTestfile(text)
    if ('faults' in parsed) {
      const why = ({ line, why }: { line: number; why: string }) =>
        `${checkName('', testfileIn(directory))}:${line}: ${why}`
      checks.push(badTestfile(directory, parsed.faults.slice(0, FAULTS_SHOWN).map(why).join('\n')))
      continue
    }
    for (const { name, command } of parsed.lines)
      checks.push({ name: checkName(directory, name), directory, command })
  }
  return checks
}

const FAULTS_SHOWN = 20

/** The check of a directory whose Testfile is no file that can be read. */
export const unreadable = (directory: string, why: string): Check =>
  badTestfile(directory, `${checkName('', testfileIn(directory))}: ${why}`)

/** The check that says what is wrong with the Testfile of a directory. */
export const badTestfile = (directory: string, error: string): Check => ({
  name: checkName(directory, TESTFILE),
  directory,
  error,
})
