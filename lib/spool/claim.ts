// From a queued task to a job: states T1 and T2 of the design. The claim is one `link` of our owner file into
// the task. Every later claimant finds the name taken, however stale its view and wherever the task has
// moved.

import { closeSync, openSync } from 'node:fs'
import { basename, join } from 'node:path'

import { fsyncPath, linkOpened, move } from '../system/durable.ts'
import { remove } from '../system/remove.ts'
import { noteChange } from '../system/polled.ts'
import { isErrno } from '../base/errno.ts'
import { makeJob, readOwner } from './job.ts'
import type { Owner, Verdict } from './job.ts'
import type { Spool } from './spool.ts'
import { trace } from '../system/trace.ts'
import { isTaskId } from './task-name.ts'
import type { TaskId } from './task-name.ts'
import type { Path } from '../base/brand.ts'
import { JOB, TASK } from './job-files.ts'

/** With these errors a link was refused, and no retry of the server will make it later. */
const REFUSED = ['EACCES', 'EDQUOT', 'ELOOP', 'EMLINK', 'ENOSPC', 'EPERM', 'EROFS', 'EXDEV']

/** The private name of a job to be. */
const privateName = (name: TaskId, token: string): string => `${name}.${token}`

/** The task and token of a name in `jobs/tmp`. Pure. */
export function parsePrivateName(entry: string): { name: TaskId; token: string } | undefined {
  const match = /^(.+)\.([0-9a-f]{16})$/.exec(entry)
  return match && isTaskId(match[1]!) ? { name: match[1], token: match[2]! } : undefined
}

/**
 * T1 to T2 to T3: claims a task for `owner`. Returns the directory of its job, or undefined if another taker
 * has the task or it is gone. With `verdict` the job is finished as soon as it appears, which is how a queued
 * task is cancelled.
 */
export function claim(spool: Spool, name: TaskId, owner: Owner, verdict?: Verdict): string | undefined {
  const mine = join(spool.jobs.tmp, privateName(name, owner.token))
  let rubbish = true
  try {
    makeJob(mine, owner, verdict)
    fsyncPath(spool.jobs.tmp)
    rubbish = false
    rubbish = !linkClaim(mine, join(spool.tasks.cur, name))
  } catch (error) {
    // After any other error the claim may stand. The program that finds it then publishes the job.
    rubbish ||= isErrno(error, ...REFUSED)
    throw error
  } finally {
    if (rubbish) remove(mine)
  }
  if (rubbish) return undefined
  trace('T2', name)
  return showJob(spool, name, owner.token)
}

function linkClaim(job: Path, task: Path): boolean {
  const file = join(job, JOB.owner)
  const fd = openSync(file, 'r+')
  try {
    return linkOpened(fd, file, join(task, TASK.claim))
  } catch (error) {
    // The task was archived since we saw it: it has been claimed, and is over. Or it is no directory, and no task.
    if (isErrno(error, 'ENOENT', 'ESTALE', 'ENOTDIR')) return false
    throw error
  } finally {
    closeSync(fd)
  }
}

/**
 * T2 to T3, for any program that finds a claimed task whose job still has its private name: makes the claim
 * durable, then moves the job to `jobs/cur`. Returns its directory, or undefined if the name belongs to
 * another claim.
 */
export function showJob(spool: Spool, name: TaskId, token: string): string | undefined {
  const shown = join(spool.jobs.cur, name)
  fsyncPath(join(spool.tasks.cur, name))
  move(join(spool.jobs.tmp, privateName(name, token)), shown)
  noteChange(spool.jobs.cur)
  trace('T3', name)
  return readOwner(shown)?.token === token ? shown : undefined
}

/** The token of the claim in a task, which alone decides whose it is; undefined while it waits. */
export function claimOf(spool: Spool, name: TaskId): string | undefined {
  return readOwner(join(spool.tasks.cur, basename(name)), TASK.claim)?.token
}
