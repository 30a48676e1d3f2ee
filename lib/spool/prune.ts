// Deletes finished tasks and jobs that are old: state T6 of the design. The task goes first, then the job,
// each renamed to `.dead-` and then removed. A crash between the two leaves a job without a task, which the
// next prune takes.

import { lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

import { DEAD, fsyncPath, sweep, timeOf } from '../system/durable.ts'
import { remove } from '../system/remove.ts'
import { mustList, mustListAll } from '../system/listing.ts'
import { ignoringENOENT } from '../base/errno.ts'
import { parsePrivateName } from './claim.ts'
import { bytePath } from '../system/byte-names.ts'
import type { Spool } from './spool.ts'
import { parseTasks } from './spool.ts'
import type { TaskId, TaskName } from './task-name.ts'
import { JOB } from './job-files.ts'

export interface PrunePolicy {
  /** Only what got its verdict before this, in milliseconds since 1970. */
  readonly before?: number
  /** The newest of each project and architecture that stay, whatever their age. */
  readonly keep?: number
}

/** The tasks that a policy lets go, by number: of those whose job is in `jobs/old`, all but what it keeps. */
export function prunable(spool: Spool, { before = Infinity, keep = 0 }: PrunePolicy): TaskName[] {
  const kept = new Map<string, number>()
  const newestFirst = parseTasks(mustList(spool.jobs.old), spool.jobs.old).reverse()
  const old = newestFirst.filter(task => {
    const kind = `${task.project}:${task.arch}`
    const before = kept.get(kind) ?? 0
    kept.set(kind, before + 1)
    return before >= keep
  })
  const waiting = new Set(mustList(spool.tasks.cur))
  return old.filter(({ name }) => !waiting.has(name) && endedBefore(spool, name, before)).reverse()
}

function endedBefore(spool: Spool, name: TaskId, limit: number): boolean {
  if (limit === Infinity) return true
  const ended = timeOf(join(spool.jobs.old, name, JOB.result))
  return ended !== null && ended < limit
}

/**
 * T6: deletes the tasks and jobs that `prunable` named. Leftovers of dead claimants in `jobs/tmp` under their
 * names go first: the task in `old` proves that they are rubbish. What cannot be deleted keeps no other from being so; the first
 * reason is thrown in the end.
 */
export function prune(spool: Spool, tasks: readonly TaskName[]): void {
  const names = new Set(tasks.map(task => task.name))
  // Names seen in `old` are made durable before anything is deleted because of them.
  for (const directory of [spool.tasks.old, spool.tasks.cur, spool.jobs.old, spool.jobs.cur])
    fsyncPath(directory)
  const failures: unknown[] = []
  const attempt = (action: () => void) => {
    try {
      action()
    } catch (error) {
      failures.push(error)
    }
  }
  const archived = new Set(mustList(spool.tasks.old))
  for (const entry of mustList(spool.jobs.tmp)) {
    const name = parsePrivateName(entry)?.name
    if (name !== undefined && names.has(name) && archived.has(name))
      attempt(() => sweep(join(spool.jobs.tmp, entry)))
  }
  for (const name of names) {
    attempt(() => {
      sweep(join(spool.tasks.old, name))
      sweep(join(spool.jobs.old, name))
    })
  }
  // Leftovers of an earlier prune that was stopped.
  for (const directory of [spool.tasks.old, spool.jobs.old, spool.jobs.tmp]) {
    for (const name of mustListAll(directory))
      if (name.startsWith(DEAD)) attempt(() => remove(join(directory, name)))
  }
  if (failures.length > 0) throw failures[0]
}

/** Counts what deleting trees frees: a file with several names is freed with the last of them. */
export class Freed {
  readonly #files = new Map<bigint, { bytes: number; links: number }>()
  #bytes = 0

  get bytes(): number {
    return this.#bytes
  }

  /** Adds a tree; one that is gone adds nothing. */
  add(path: string | Buffer): void {
    const stat = ignoringENOENT(() => lstatSync(path, { bigint: true }))
    if (!stat) return
    const bytes = Number(stat.blocks) * 512
    if (stat.isDirectory()) {
      this.#bytes += bytes
      const names = ignoringENOENT(() => readdirSync(path, { encoding: 'buffer' })) ?? []
      for (const name of names) this.add(bytePath(path, name))
      return
    }
    const file = this.#files.get(stat.ino) ?? { bytes, links: Number(stat.nlink) }
    file.links--
    this.#files.set(stat.ino, file)
    if (file.links === 0) this.#bytes += file.bytes
  }
}
