// Finds the tasks that a person means by TASK: a number, a name, the prefix of a revision, PROJECT or PROJECT/REF, or `last`.

import { join } from 'node:path'

import { readIfThere } from '../../lib/system/durable.ts'
import { mustList } from '../../lib/system/listing.ts'
import { lasting, quote } from '../../lib/base/exit.ts'
import { readRetryOf } from '../../lib/spool/retry.ts'
import type { Spool } from '../../lib/spool/spool.ts'
import { compareByNumber, parseTaskName } from '../../lib/spool/task-name.ts'
import type { TaskName } from '../../lib/spool/task-name.ts'
import { ambiguous, notFound } from '../../lib/view/not-one-task.ts'
import { whereIs } from '../../lib/view/whereabouts.ts'
import type { Whereabouts } from '../../lib/view/whereabouts.ts'
import { TASK } from '../../lib/spool/job-files.ts'

/** Every task there is a directory of, by number; what was half pruned as well. */
function allTasks(spool: Spool): TaskName[] {
  const names = new Set([spool.tasks.cur, spool.jobs.cur, spool.tasks.old, spool.jobs.old].flatMap(mustList))
  return [...names]
    .map(parseTaskName)
    .filter(task => task !== undefined)
    .sort(compareByNumber)
}

/**
 * Returns the one task that `text` means, and where it is; of a revision, a project or a ref it is the newest. Throws a
 * lasting error if `text` means none, or two revisions.
 */
export function findOne(spool: Spool, text: string): Whereabouts {
  const tasks = tasksNamed(spool, text)
  const task = tasks.at(-1)
  if (!task) throw notFound(text)
  if (tasks.length > 1 && !isOneRevision(spool, tasks))
    throw ambiguous(
      text,
      tasks.map(task => task.name),
    )
  const found = whereIs(spool, task.name)
  if (!found) throw lasting(`find the task ${quote(text)}`, 'it has just been pruned')
  return found
}

function isOneRevision(spool: Spool, tasks: readonly TaskName[]): boolean {
  return new Set(tasks.map(task => textOf(spool, task.name, TASK.revision))).size === 1
}

/** The text of a small file of a task, wherever the task is. */
const textOf = (spool: Spool, name: string, file: string): string | undefined =>
  [spool.tasks.cur, spool.tasks.old]
    .map(directory => readIfThere(join(directory, name, file))?.trimEnd())
    .find(text => text !== undefined)

/** The revision of each task that was asked for it, by name: for whoever asks again and again. */
export type Revisions = Map<string, string>

/** Every task that `text` means: one, or all of a revision; the newest of a project or ref. None is an error. */
export function findAll(spool: Spool, text: string, known: Revisions = new Map()): TaskName[] {
  const found = tasksNamed(spool, text, known)
  if (found.length === 0) throw notFound(text)
  return found
}

function tasksNamed(spool: Spool, text: string, known: Revisions = new Map()): TaskName[] {
  // A whole name needs no look at all the others.
  const named = parseTaskName(text)
  if (named) return whereIs(spool, text) ? [named] : []
  const tasks = allTasks(spool)
  if (text === 'last') return tasks.slice(-1)
  if (/^(0|[1-9]\d{0,14})$/.test(text)) {
    const numbered = tasks.filter(task => task.num === Number(text))
    if (numbered.length > 0) return numbered
  }
  const ofThisRevision = /^[0-9a-f]{4,64}$/.test(text) ? ofRevision(spool, text, known) : []
  return ofThisRevision.length > 0 ? ofThisRevision : newestOf(spool, tasks, text)
}

/** The newest task of PROJECT or PROJECT/REF, as a list; REF with or without `refs/heads/` or `refs/tags/`. */
function newestOf(spool: Spool, tasks: readonly TaskName[], text: string): TaskName[] {
  const [project, ...rest] = text.split('/')
  const ref = rest.join('/')
  const refs = [ref, `refs/${ref}`, `refs/heads/${ref}`, `refs/tags/${ref}`]
  const newest = tasks.findLast(
    task =>
      task.project === project && (ref === '' || refs.includes(textOf(spool, task.name, TASK.ref) ?? '')),
  )
  return newest ? [newest] : []
}

/** The tasks of the revision that begins with `prefix`; what was retried is left to its retry. */
function ofRevision(spool: Spool, prefix: string, known: Revisions): TaskName[] {
  const found = new Map<string, TaskName>()
  const retried = new Set<string>()
  for (const directory of [spool.tasks.cur, spool.tasks.old]) {
    for (const name of mustList(directory)) {
      const revision = known.get(name) ?? readIfThere(join(directory, name, TASK.revision))
      if (revision !== undefined) known.set(name, revision)
      const task = revision?.startsWith(prefix) ? parseTaskName(name) : undefined
      if (!task) continue
      found.set(name, task)
      const parent = readRetryOf(join(directory, name))?.parent
      if (parent !== undefined) retried.add(parent)
    }
  }
  return [...found.values()].filter(task => !retried.has(task.name)).sort(compareByNumber)
}
