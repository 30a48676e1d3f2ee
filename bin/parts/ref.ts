// Refs and revisions as people call them.

import { lasting, quote } from '../../lib/base/exit.ts'
import { askGit } from '../../lib/git/process.ts'

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
  const verify = ['rev-parse', '--symbolic-full-name', '--verify', '--quiet', '--end-of-options', named]
  const full = askGit(repository, ...verify)
  if (full?.startsWith('refs/')) return { ref: full, commit }
  // A revision by itself stands on a ref that has it, on the default branch rather than another.
  const containing = ['for-each-ref', '--contains', commit, '--format=%(refname)', 'refs/heads', 'refs/tags']
  const refs = (askGit(repository, ...containing) ?? '').split('\n').filter(ref => ref !== '')
  const ref = refs.find(ref => ref === head) ?? refs[0]
  if (ref === undefined) throw fail('no branch or tag contains it')
  return { ref, commit }
}
