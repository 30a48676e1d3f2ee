// The spool: where everything is, and what is listed there. The directory tree is section 2 of the design; each state
// of a task or job is a name in one of these directories.

import { statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

import { fsyncPath } from '../system/durable.ts'
import { listIfThere, mustList, mustListAll } from '../system/listing.ts'
import { isLocal } from '../system/local.ts'
import { lasting, temporary, quote } from '../base/exit.ts'
import { warnOnce } from '../system/log.ts'
import { optional, setting } from '../base/settings.ts'
import { compareByNumber, parseTaskName } from './task-name.ts'
import type { TaskId, TaskName } from './task-name.ts'
import type { Path } from '../base/brand.ts'
import { makeDirectories, parentsOfMade } from '../system/directories.ts'
import { shareWithGroup } from '../system/umask.ts'

export interface Spool {
  readonly root: Path
  readonly ctr: Path
  readonly tasks: { readonly tmp: Path; readonly cur: Path; readonly old: Path }
  readonly jobs: { readonly tmp: Path; readonly cur: Path; readonly old: Path }
  readonly revs: Path
  readonly takers: Path
  readonly pause: Path
}

/** The paths of a spool. */
export function spoolAt(root: string, tasks = join(root, 'tasks'), jobs = join(root, 'jobs')): Spool {
  const three = (base: string) => ({ tmp: join(base, 'tmp'), cur: join(base, 'cur'), old: join(base, 'old') })
  return {
    root,
    ctr: join(tasks, 'ctr'),
    tasks: three(tasks),
    jobs: three(jobs),
    revs: join(root, 'revs'),
    takers: join(root, 'takers'),
    pause: join(root, 'pause'),
  }
}

/** The spool of $SPOOL, $TASKS and $JOBS; the directories that programs may make are there afterwards. */
export function openSpool(): Spool {
  const spool = openTasks(() => setting('JOBS'))
  for (const directory of [spool.jobs.tmp, spool.jobs.cur, spool.jobs.old]) makeDirectory(directory)
  return spool
}

/** The spool of $SPOOL and $TASKS, for those that have nothing to do with jobs. */
export function openTasks(jobs: () => string | undefined = () => undefined): Spool {
  if (optional('SPOOL') === undefined && optional('TASKS') === undefined) {
    throw lasting('find the spool', "SPOOL is not set; 'bass init DIR' makes one")
  }
  const tasks = setting('TASKS')
  const spool = spoolAt(optional('SPOOL') ?? dirname(tasks), tasks, jobs())
  for (const directory of [spool.tasks.tmp, spool.tasks.cur, spool.tasks.old]) mustBeThere(directory)
  if (isSharedWithGroup(spool.tasks.cur)) shareWithGroup()
  return spool
}

/** What a set-group-id directory that its group may write holds is meant for that group, whatever umask says. */
const isSharedWithGroup = (directory: Path) => (statSync(directory).mode & 0o2020) === 0o2020

/** A directory that a person or `bass init` makes: without it this is no spool. */
export function mustBeThere(directory: Path): void {
  if (!listIfThere(dirname(directory)).includes(basename(directory))) {
    throw temporary(`use the spool's ${quote(directory)}`, "no such directory; 'bass init' makes a spool")
  }
}

/** Makes a directory of the spool where it is missing, its parents too, durably; modes are as umask and parent say. */
export function makeDirectory(path: Path): void {
  const first = makeDirectories(path)
  if (first !== undefined) for (const parent of parentsOfMade(path, first)) fsyncPath(parent)
}

/** A change so long after another one gives a directory other times, in milliseconds. */
const CALM_MS = 100

/**
 * Returns a lister of the tasks in a directory, by number. It returns the same array as long as nothing has
 * changed; where all changes are this kernel's, which the times of the directory tell, it does not list again.
 */
export function taskLister(directory: Path): () => readonly TaskName[] {
  const hasTimes = isLocal(directory)
  let times: string | undefined
  let [changed, listed] = [0, -Infinity]
  let before: string | undefined
  let tasks: readonly TaskName[] = []
  return () => {
    if (hasTimes) {
      const seen = timesOf(directory)
      // After the look, however long that took: before it, a change would seem older than it is.
      if (seen !== times) changed = performance.now()
      times = seen
      if (listed - changed >= CALM_MS) return tasks
    }
    const began = performance.now()
    const names = mustList(directory)
    listed = began
    const text = names.join('/')
    if (text !== before) tasks = parseTasks(names, directory)
    before = text
    return tasks
  }
}

function timesOf(directory: Path): string {
  const { mtimeNs, ctimeNs } = statSync(directory, { bigint: true })
  return `${mtimeNs} ${ctimeNs}`
}

/** The names of a listing that are tasks', by number; the others are reported once. */
export function parseTasks(names: readonly string[], directory: Path): TaskName[] {
  const tasks: TaskName[] = []
  for (const name of names) {
    const task = parseTaskName(name)
    if (task) tasks.push(task)
    else warnOnce('understand', join(directory, name), 'not a name of a task; it is left where it is')
  }
  return tasks.sort(compareByNumber)
}

/** Where the job of a task is now, or undefined: a job that is over may be in `old` already. */
export function findJob(spool: Spool, name: TaskId): string | undefined {
  return find([spool.jobs.cur, spool.jobs.old, spool.jobs.cur], name)
}

/** Where a task is now, waiting, running or over, or undefined. */
export function findTask(spool: Spool, name: TaskId): string | undefined {
  return find([spool.tasks.cur, spool.tasks.old, spool.tasks.cur], name)
}

// A look-up is cheap, but on NFS it may report a name as missing for a while; then listings decide. A task
// that moves from the first directory to the second during the look is found at the third look at the latest.
function find(directories: readonly string[], name: TaskId): string | undefined {
  const inside = (directory: Path) => hasEntries(join(directory, name))
  const directory =
    directories.find(inside) ?? directories.find(directory => mustListAll(directory).includes(name))
  return directory && join(directory, name)
}

/** True if a look-up finds it. That it does not proves nothing, whatever it says. */
function hasEntries(path: Path): boolean {
  try {
    return mustListAll(path).length > 0
  } catch {
    return false
  }
}

/** The names of the pauses: `all`, `project:P`, `host:H`. */
export function paused(spool: Spool): Set<string> {
  return new Set(listIfThere(spool.pause))
}
