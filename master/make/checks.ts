// The checks that an event concerns: what it is compared with, and which Testfiles that leads to.

import { GitError } from '../../lib/git/repository.ts'
import type { Repository } from '../../lib/git/repository.ts'
import { changedPaths } from '../../lib/git/walk.ts'
import type { Check } from '../../lib/testfile/choose.ts'
import { findChecks } from './testfiles.ts'

/** The lines `BASE` and `CHANGE` of an event. */
export type Params = Readonly<Record<string, string>>

/** The checks of the directories that a commit concerns, the deepest first. Throws GitError. */
export async function checksOfEvent(code: Repository, head: string, params: Params): Promise<Check[]> {
  const base = await baseOf(code, head, params)
  return findChecks(code, head, base === undefined ? undefined : await changedPaths(code, base, head))
}

/**
 * Returns the commit to compare with: of a change, where it left its target; else what the event names. Undefined if it does not
 * say, or that is not there any more: then all there is, is concerned.
 */
async function baseOf(code: Repository, head: string, params: Params): Promise<string | undefined> {
  const base = params['BASE'] ? await code.commit(params['BASE']) : undefined
  if (base === undefined || params['CHANGE'] === undefined) return base?.id
  try {
    return (await code.run(['merge-base', base.id, head])).toString().trim()
  } catch (error) {
    // They have nothing in common.
    if (error instanceof GitError) return undefined
    throw error
  }
}
