// The names in `tasks/cur`, `jobs/cur` and `jobs/tmp`, as listed last, and so where each task is.

import { join } from 'node:path'

import { parsePrivateName } from '../../../lib/spool/claim.ts'
import type { Spool } from '../../../lib/spool/spool.ts'
import { numberOf, parseTaskName } from '../../../lib/spool/task-name.ts'
import type { TaskName } from '../../../lib/spool/task-name.ts'
import { mustList } from '../../../lib/system/listing.ts'
import type { Whereabouts } from '../../../lib/view/whereabouts.ts'

export class Current {
  readonly #spool: Spool
  /** Tasks in `tasks/cur` by number, names in `jobs/cur`, and names claimed but not shown yet. */
  #tasks = new Map<number, TaskName>()
  #shown = new Set<string>()
  #claimed = new Map<string, string>()

  constructor(spool: Spool) {
    this.#spool = spool
  }

  /** Lists anew, and returns the tasks that were not there before. */
  list(): TaskName[] {
    const { tasks, jobs } = this.#spool
    const fresh: TaskName[] = []
    const current = new Map<number, TaskName>()
    for (const name of mustList(tasks.cur)) {
      const num = numberOf(name)
      const task = this.#tasks.get(num)
      const parsed = task?.name === name ? task : parseTaskName(name)
      if (!parsed) continue
      current.set(num, parsed)
      if (parsed !== task) fresh.push(parsed)
    }
    const claimed = mustList(jobs.tmp).map(entry => [parsePrivateName(entry)?.name ?? '', entry] as const)
    const shown = new Set(mustList(jobs.cur))
    for (const name of shown) {
      if (this.#shown.has(name)) continue
      const parsed = parseTaskName(name)
      if (parsed) fresh.push(parsed)
    }
    this.#tasks = current
    this.#claimed = new Map(claimed)
    this.#shown = shown
    return fresh
  }

  /** True if its task is in `cur`. */
  has(num: number): boolean {
    return this.#tasks.has(num)
  }

  /** True if its task is in `cur` and nobody has claimed it. */
  isUnclaimed(num: number): boolean {
    const task = this.#tasks.get(num)
    return task !== undefined && !this.#shown.has(task.name) && !this.#claimed.has(task.name)
  }

  /** The numbers of all that is here. */
  nums(): number[] {
    return [...this.#tasks.keys(), ...[...this.#shown].map(numberOf)]
  }

  /** Where a task is; in `old` if it is not here. */
  whereIs(name: string, num: number): Whereabouts {
    const task = parseTaskName(name)!
    const { tasks, jobs } = this.#spool
    const current = this.#tasks.has(num)
    const claimed = this.#claimed.get(name)
    const taskAt = join(current ? tasks.cur : tasks.old, name)
    if (this.#shown.has(name)) return { task, taskAt, jobAt: join(jobs.cur, name) }
    if (claimed !== undefined) return { task, taskAt, jobAt: join(jobs.tmp, claimed) }
    return current ? { task, taskAt } : { task, taskAt, jobAt: join(jobs.old, name) }
  }
}
