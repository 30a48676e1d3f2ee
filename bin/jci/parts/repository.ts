// The repository that a command of git jci is about.

import { join } from 'node:path'

import { lasting, quote } from '../../../lib/base/exit.ts'
import { tryGit } from '../../../lib/git/process.ts'
import { runSync } from '../../../lib/system/run.ts'

/** Asks git here, in the environment as it is: a user, or a hook, may have named another repository. */
function here(...args: string[]): string | undefined {
  const { code, stdout, stderr } = runSync(['git', ...args])
  if (code === 0) return stdout.trimEnd()
  const why = /^fatal: (.*)/m.exec(stderr)?.[1]
  if (why !== undefined) throw lasting(`find the repository of ${quote(process.cwd())}`, why)
  return undefined
}

/**
 * The directory in which git is to be asked: the top of the work tree, to which relative addresses of remotes refer, or a bare
 * repository itself. Throws Fatal if this is no repository.
 */
export function findRepository(): string {
  const [shared, inside] = here(
    'rev-parse',
    '--path-format=absolute',
    '--git-common-dir',
    '--is-inside-work-tree',
  )!.split('\n')
  return inside === 'true' ? findTop() : shared!
}

/** Where our own files are in a repository, for all its work trees. */
export const ownFiles = (repository: string): string =>
  join(tryGit(repository, 'rev-parse', '--path-format=absolute', '--git-common-dir') ?? repository, 'jci')

/** The directory of the work tree around the current directory. Throws Fatal if there is none. */
export const findTop = (): string => here('rev-parse', '--show-toplevel')!

/** The id of the commit that a revision names in a work tree or repository. Throws Fatal if it names none. */
export function resolveCommit(repository: string, revision: string): string {
  const id = tryGit(
    repository,
    'rev-parse',
    '--verify',
    '--quiet',
    '--end-of-options',
    `${revision}^{commit}`,
  )
  if (id !== undefined) return id
  const why = revision === 'HEAD' ? 'there is no commit yet' : 'no such commit'
  throw lasting(`find ${quote(revision)} in ${quote(repository)}`, why)
}
