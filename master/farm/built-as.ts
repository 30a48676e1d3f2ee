// A branch that is the head of an open change is built as that change: else it would be built twice, under the same names.

import type { PushWish } from '../../lib/forge/forge.ts'
import type { Database } from './database.ts'
import type { FarmMirror } from './mirror.ts'
import { accessOf } from './plan.ts'
import type { FarmProject } from './projects.ts'

const HEADS = 'refs/heads/'

/**
 * Returns the number of the open change as which a push is built. The change's head was or is one end of the push, in whichever
 * order a forge tells of the two. The default branch, which may be the head of a change as well, is always built; and so is one whose
 * change waits for a person, or is in its target already, whether a delivery told of that or not.
 */
export async function changeFrom(
  db: Database,
  project: FarmProject,
  { ref, before, after }: PushWish,
  mirror: FarmMirror,
): Promise<string | undefined> {
  if (after === null || !ref.startsWith(HEADS)) return undefined
  const changes = await db<{ name: string; head: string; target: string }[]>`
    select name, head, target from change
    where project = ${project.name} and source = ${ref.slice(HEADS.length)} and open and not held and not fork
      and head = any(${[before, after].filter(commit => commit !== null)}) order by id`
  for (const { name, head, target } of changes) {
    if ((await mirror.mergeBase(head, HEADS + target)) === head) continue
    return (await mirror.defaultBranch(await accessOf(project))) === ref ? undefined : name
  }
  return undefined
}
