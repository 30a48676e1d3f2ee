// Finds the task that a person means by TASK, as `bin/views/find-task.ts` says, answered from the index: no question of a stranger makes the
// site read all tasks.

import { numberOf } from '../../../lib/spool/task-name.ts'
import type { TaskId } from '../../../lib/spool/task-name.ts'
import { ambiguous } from '../../../lib/view/not-one-task.ts'
import type { Site } from './site.ts'

/** Of the tasks of a revision, so many are named at most. */
const MOST = 1000

/** The tasks that `text` means, by number; of a revision what was retried is left to its retry. */
export function findTasks({ index }: Site, text: string): TaskId[] {
  const newest = (rows: Iterable<number>): TaskId[] => {
    for (const row of rows) return [index.entry(row).name]
    return []
  }
  if (text === 'last') return newest(index.rows())
  if (/^(0|[1-9]\d{0,14})(:|$)/.test(text)) {
    const row = index.rowOf(Number(/^\d+/.exec(text)![0]))
    const name = row === undefined ? undefined : index.entry(row).name
    if (name !== undefined && (name === text || !text.includes(':'))) return [name]
    if (text.includes(':')) return []
  }
  const found = /^[0-9a-f]{4,64}$/.test(text) ? ofRevision(index, text) : []
  if (found.length > 0) return found
  const [project = '', ...rest] = text.split('/')
  const ref = rest.join('/')
  if (ref === '') return newest(index.rows({ project }))
  const names = [ref, `refs/${ref}`, `refs/heads/${ref}`, `refs/tags/${ref}`]
  const full = index.findRef(one => names.includes(one))
  return full === undefined ? [] : newest(index.rows({ project, ref: full }))
}

function ofRevision(index: Site['index'], prefix: string): TaskId[] {
  const found: TaskId[] = []
  for (const row of index.rows({ commit: prefix })) {
    if (found.length === MOST) break
    if (!index.wasRetried(row)) found.push(index.entry(row).name)
  }
  return found.reverse()
}

/** Why these, which `text` means, are not of one revision; undefined if they are. */
export function whyAmbiguous(site: Site, text: string, names: readonly TaskId[]): string | undefined {
  const revisions = new Set(names.map(name => site.find(numberOf(name))?.revision))
  if (revisions.size < 2) return undefined
  return ambiguous(text, names).message
}
