// One git command in a repository, run to its end: for people's verbs, which have nothing else to do meanwhile.

import { spawnSync } from 'node:child_process'

import { lasting, quote, temporary } from '../base/exit.ts'
import { gitEnvironment } from './git-environment.ts'

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

/** What git printed, trimmed. What it does not want is a lasting error with its own sentence. */
export function git(repository: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync('git', ['-C', repository, ...args], {
    encoding: 'utf8',
    env: gitEnvironment(),
  })
  if (error) throw lasting("run 'git'", error)
  if (status === 0) return stdout.trim()
  const why = stderr.split('\n').find(line => /^(fatal|error): /.test(line)) ?? `git ${args[0] ?? ''} failed`
  throw lasting(`use the repository ${quote(repository)}`, why.replace(/^(fatal|error): /, ''))
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
