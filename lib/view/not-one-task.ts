// What a person is told whose TASK means no task, or tasks of several revisions; by a verb and by a page alike. Pure.

import { lasting, quote } from '../base/exit.ts'
import type { Fatal } from '../base/exit.ts'

/** How many candidates are named. */
const CANDIDATES_SHOWN = 8

export const notFound = (text: string): Fatal =>
  lasting(
    `find the task ${quote(text)}`,
    text === 'last'
      ? "there is none yet: a push, or 'bass event PROJECT', makes one"
      : 'there is none of that number, name, revision, project or ref',
  )

/** Names the newest of the tasks that `text` may mean, which come by age, oldest first. */
export function ambiguous(text: string, names: readonly string[]): Fatal {
  const shown = names.slice(-CANDIDATES_SHOWN).join(', ')
  const rest = names.length > CANDIDATES_SHOWN ? ` and ${names.length - CANDIDATES_SHOWN} more` : ''
  return lasting(`find the task ${quote(text)}`, `it may be any of ${shown}${rest}`)
}
