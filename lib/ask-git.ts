// Asking a git repository one thing and waiting for the answer, for people's verbs.

import { spawnSync } from 'node:child_process'

import { lasting, quote, temporary } from './exit.ts'

/** Variables that point git at another repository than the one we name, as they stand in a hook's environment. */
const ELSEWHERE = /^GIT_(DIR|WORK_TREE|INDEX_FILE|COMMON_DIR|OBJECT_DIRECTORY|NAMESPACE|PREFIX)$/

/** Our environment without what would lead git to another repository. */
export const gitEnvironment = (): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !ELSEWHERE.test(name)))

/** What git prints, without the line feed at its end; undefined if it exits other than 0. */
export function askGit(repository: string, ...args: string[]): string | undefined {
  const { status, stdout, error } = spawnSync('git', ['-C', repository, ...args], {
    encoding: 'utf8',
    env: gitEnvironment(),
    stdio: ['ignore', 'pipe', 'ignore'],
    maxBuffer: 1 << 28,
  })
  if (error) throw temporary(`ask git in ${quote(repository)}`, error)
  return status === 0 ? stdout.trimEnd() : undefined
}

/** The commit that a revision names. */
function commitId(repository: string, revision: string): string | undefined {
  return askGit(repository, 'rev-parse', '--verify', '--quiet', '--end-of-options', `${revision}^{commit}`)
}

/** A full ref and the commit to test for it, of what a person calls a ref or a revision, or of nothing: the default branch. */
export function refAndCommit(repository: string, text: string | undefined): { ref: string; commit: string } {
  const head = askGit(repository, 'symbolic-ref', '--quiet', 'HEAD')
  const named = text ?? head
  if (named === undefined)
    throw lasting(`find a branch in ${quote(repository)}`, 'its HEAD is none; name one')
  const commit = commitId(repository, named)
  const fail = (why: string) => lasting(`find ${quote(named)} in ${quote(repository)}`, why)
  if (commit === undefined) throw fail('no such ref or revision')
  const full = askGit(
    repository,
    'rev-parse',
    '--symbolic-full-name',
    '--verify',
    '--quiet',
    '--end-of-options',
    named,
  )
  if (full?.startsWith('refs/')) return { ref: full, commit }
  // A revision by itself stands on a ref that has it, on the default branch rather than another.
  const refs = (
    askGit(
      repository,
      'for-each-ref',
      '--contains',
      commit,
      '--format=%(refname)',
      'refs/heads',
      'refs/tags',
    ) ?? ''
  )
    .split('\n')
    .filter(ref => ref !== '')
  const ref = refs.find(ref => ref === head) ?? refs[0]
  if (ref === undefined) throw fail('no branch or tag contains it')
  return { ref, commit }
}
