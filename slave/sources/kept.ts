// The temporary directories of a slot's jobs, which a later taker in the slot can find. They are links in the slot's `work/`, each
// with the name of its task: that of the job in hand, and those of failed jobs that are kept for somebody to look at.

import { lstatSync, readlinkSync, symlinkSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'

import { ignoringENOENT, isErrno, tolerating } from '../../lib/base/errno.ts'
import { parseDuration } from '../../lib/base/settings.ts'
import { TASK } from '../../lib/spool/job-files.ts'
import { parseLimits } from '../../lib/spool/limits.ts'
import type { Spool } from '../../lib/spool/spool.ts'
import { isTaskId } from '../../lib/spool/task-name.ts'
import type { TaskId } from '../../lib/spool/task-name.ts'
import { makeDirectories } from '../../lib/system/directories.ts'
import { readIfThere } from '../../lib/system/durable.ts'
import { listIfThere } from '../../lib/system/listing.ts'
import { warn } from '../../lib/system/log.ts'
import { killRemains } from '../run/places/processes.ts'
import { removeWork } from '../run/work.ts'

export class KeptWork {
  readonly #directory: string
  readonly #tasks: Spool['tasks']
  /** How long a failed job is kept whose project does not say, in milliseconds. */
  readonly #keep: number
  /** Jobs whose temporary directories could not be removed. */
  readonly #stuck = new Set<string>()
  /** How long what is kept here is kept, by the names of tasks. */
  readonly #keeps = new Map<TaskId, number | undefined>()
  /** The temporary directory of the job in hand. */
  #inHand: string | undefined

  constructor(slot: string, { tasks }: Spool, keep: number) {
    this.#directory = join(slot, 'work')
    this.#tasks = tasks
    this.#keep = keep
  }

  /** Remembers the temporary directory of a job, before it is made. */
  remember(name: TaskId, work: string): void {
    const link = () => symlinkSync(work, this.#linkOf(name))
    try {
      link()
    } catch (error) {
      if (!isErrno(error, 'ENOENT', 'EEXIST')) throw error
      makeDirectories(this.#directory)
      this.#forget(name)
      link()
    }
    this.#inHand = work
  }

  /** The temporary directory of a job that is remembered. */
  of(name: string): string | undefined {
    return tolerating(['ENOENT', 'EINVAL'], () => readlinkSync(this.#linkOf(name)))
  }

  /** Kills what is left of the steps of the job in hand, for a taker that ends without ending its job. */
  async killRemains(): Promise<void> {
    if (this.#inHand !== undefined) await killRemains(this.#inHand)
  }

  #linkOf(name: string): string {
    return join(this.#directory, name)
  }

  #forget(name: string): void {
    ignoringENOENT(() => unlinkSync(this.#linkOf(name)))
  }

  /** Removes the temporary directory of a job. */
  async discard(name: string): Promise<void> {
    const work = this.of(name)
    try {
      if (work !== undefined) await removeWork(work)
      this.#forget(name)
    } catch (error) {
      // Files of another user are in it: a person has to remove them, and the next taker tries again.
      this.#stuck.add(name)
      warn('remove', work ?? name, error)
    }
  }

  /** Removes those that were kept as long as the settings or their project say. For between jobs. */
  async discardOld(): Promise<void> {
    // What has no task's name was here before: this directory is not a slot's alone.
    const names = listIfThere(this.#directory).filter(isTaskId)
    for (const name of this.#keeps.keys()) if (!names.includes(name)) this.#keeps.delete(name)
    for (const name of names) {
      const made = ignoringENOENT(() => lstatSync(this.#linkOf(name)).mtimeMs)
      if (made === undefined || this.#stuck.has(name)) continue
      if (Date.now() - made >= (this.#keepOf(name) ?? this.#keep)) await this.discard(name)
    }
  }

  /** How long the project of a task wants its failed jobs kept, in milliseconds; undefined if it does not say. */
  #keepOf(name: TaskId): number | undefined {
    if (this.#keeps.has(name)) return this.#keeps.get(name)
    const { cur, old } = this.#tasks
    const read = (directory: string) => readIfThere(join(directory, name, TASK.limits))
    const { FAILED_JOB_WAITTIME: text } = parseLimits(read(cur) ?? read(old) ?? '')
    const keep = text === undefined ? undefined : parseDuration(text)
    this.#keeps.set(name, keep)
    return keep
  }
}
