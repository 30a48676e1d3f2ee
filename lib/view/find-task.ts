// What a person means by TASK: a number, a name, the prefix of a revision, or `last`.

import { join } from 'node:path'

import { list, readIfThere } from '../system/durable.ts'
import { lasting, quote } from '../base/exit.ts'
import { readRetryOf } from '../spool/retry.ts'
import type { Spool } from '../spool/spool.ts'
import { compareByNumber, parseTaskName } from '../spool/task-name.ts'
import type { TaskName } from '../spool/task-name.ts'
import { whereIs } from './whereabouts.ts'
import type { Whereabouts } from './whereabouts.ts'

/** How many candidates an error lists. */
const SHOWN = 8

/** Every task there is a directory of, by number; what was half pruned as well. */
function allTasks(spool: Spool): TaskName[] {
  const names = new Set([spool.tasks.cur, spool.jobs.cur, spool.tasks.old, spool.jobs.old].flatMap(list))
  return [...names]
    .map(parseTaskName)
    .filter(task => task !== undefined)
    .sort(compareByNumber)
}

/** The one task that `text` means, and where it is. What means none, or more than one, is an error that says so. */
export function findOne(spool: Spool, text: string): Whereabouts {
  const [first, ...more] = candidates(spool, text)
  if (!first) throw lasting(`find the task ${quote(text)}`, 'there is none of that number, name or revision')
  if (more.length > 0) throw ambiguous(text, [first, ...more])
  const found = whereIs(spool, first.name)
  if (!found) throw lasting(`find the task ${quote(text)}`, 'it has just been pruned')
  return found
}

/** Every task that `text` means: one, or all of a revision. None is an error. */
export function findAll(spool: Spool, text: string): TaskName[] {
  const found = candidates(spool, text)
  if (found.length === 0)
    throw lasting(`find the task ${quote(text)}`, 'there is none of that number, name or revision')
  return found
}

function ambiguous(text: string, tasks: readonly TaskName[]): Error {
  const shown = tasks.slice(-SHOWN).map(task => task.name)
  const rest = tasks.length > SHOWN ? ` and ${tasks.length - SHOWN} more` : ''
  return lasting(`find the task ${quote(text)}`, `it may be any of ${shown.join(', ')}${rest}`)
}

function candidates(spool: Spool, text: string): TaskName[] {
  // A whole name needs no look at all the others.
  const named = parseTaskName(text)
  if (named) return whereIs(spool, text) ? [named] : []
  const tasks = allTasks(spool)
  if (text === 'last') return tasks.slice(-1)
  if (/^(0|[1-9]\d{0,14})$/.test(text)) {
    const numbered = tasks.filter(task => task.num === Number(text))
    if (numbered.length > 0) return numbered
  }
  return /^[0-9a-f]{4,64}$/.test(text) ? ofRevision(spool, text) : []
}

/** The tasks of the revision that begins with `prefix`; what was retried is left to its retry. */
function ofRevision(spool: Spool, prefix: string): TaskName[] {
  const found = new Map<string, TaskName>()
  const retried = new Set<string>()
  for (const directory of [spool.tasks.cur, spool.tasks.old]) {
    for (const name of list(directory)) {
      const revision = readIfThere(join(directory, name, 'code-revision.txt'))
      const task = revision?.startsWith(prefix) ? parseTaskName(name) : undefined
      if (!task) continue
      found.set(name, task)
      const parent = readRetryOf(join(directory, name))?.parent
      if (parent !== undefined) retried.add(parent)
    }
  }
  return [...found.values()].filter(task => !retried.has(task.name)).sort(compareByNumber)
}
