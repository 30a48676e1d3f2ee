// Where the directories of a task are now. A name that moves while we list is found at its old place or its new one,
// because we list in the order in which things move.

import { join } from 'node:path'

import { parsePrivateName } from '../spool/claim.ts'
import { listIfThere, mustList } from '../system/listing.ts'
import { findJob, findTask, parseTasks } from '../spool/spool.ts'
import type { Spool } from '../spool/spool.ts'
import { compareByNumber, parseTaskName } from '../spool/task-name.ts'
import type { TaskId, TaskName } from '../spool/task-name.ts'
import { TASK } from '../spool/job-files.ts'

export interface Whereabouts {
  readonly task: TaskName
  /** Its task directory, where there is one: what was pruned half, or is very young, has none. */
  readonly taskAt?: string
  /** Its job directory, under whatever name, where there is one. */
  readonly jobAt?: string
}

/** Queued and running tasks, and finished ones still in `jobs/cur`; by number. Three listings. */
export function current(spool: Spool): Whereabouts[] {
  const tasks = parseTasks(mustList(spool.tasks.cur), spool.tasks.cur)
  const claimed = new Map<string, string>()
  for (const entry of mustList(spool.jobs.tmp)) {
    const parsed = parsePrivateName(entry)
    if (parsed) claimed.set(parsed.name, join(spool.jobs.tmp, entry))
  }
  const jobs = parseTasks(mustList(spool.jobs.cur), spool.jobs.cur)
  const shown = new Set(jobs.map(job => job.name))
  const found = new Map<string, Whereabouts>()
  // Published, claimed and archived since we listed: it is in `old`, or in `cur` at the next look.
  for (const task of jobs)
    found.set(task.name, { task, ...jobIn(spool.jobs.cur, task), ...taskIn(spool.tasks.old, task) })
  for (const task of tasks) {
    const claim = claimed.get(task.name)
    const job = shown.has(task.name) ? jobIn(spool.jobs.cur, task) : claim ? { jobAt: claim } : {}
    found.set(task.name, { task, ...taskIn(spool.tasks.cur, task), ...job })
  }
  return [...found.values()].sort((a, b) => compareByNumber(a.task, b.task))
}

/** Finished tasks in `jobs/old`, by number. One listing, which reads nothing of the up to 100,000 jobs. */
export function archivedTasks(spool: Spool): Whereabouts[] {
  return parseTasks(mustList(spool.jobs.old), spool.jobs.old).map(task => inOld(spool, task))
}

/** Where the name of a task that is over and archived leads. */
export function inOld(spool: Spool, task: TaskName): Whereabouts {
  return { task, ...taskIn(spool.tasks.old, task), ...jobIn(spool.jobs.old, task) }
}

/** Where one task is now; undefined if there is neither a task nor a job of that name. */
export function whereIs(spool: Spool, name: string): Whereabouts | undefined {
  const task = parseTaskName(name)
  if (!task) return undefined
  const taskAt = findTask(spool, task.name)
  // A task without a claim has no job, so the 100,000 old ones need not be searched.
  const files = taskAt === join(spool.tasks.cur, name) ? listIfThere(taskAt) : []
  const waits = files.length > 0 && !files.includes(TASK.claim)
  const jobAt = waits ? undefined : (findJob(spool, task.name) ?? hiddenJob(spool, task.name))
  if (taskAt === undefined && jobAt === undefined) return undefined
  return { task, ...(taskAt === undefined ? {} : { taskAt }), ...(jobAt === undefined ? {} : { jobAt }) }
}

function hiddenJob(spool: Spool, name: TaskId): string | undefined {
  const entry = mustList(spool.jobs.tmp).find(entry => parsePrivateName(entry)?.name === name)
  return entry && join(spool.jobs.tmp, entry)
}

const taskIn = (directory: string, task: TaskName) => ({ taskAt: join(directory, task.name) })
const jobIn = (directory: string, task: TaskName) => ({ jobAt: join(directory, task.name) })
