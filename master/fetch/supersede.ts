// Cancels what waits or runs for an old head or target of a change, or for one that is closed. The spool decides, not the sequence of
// deliveries: a task that is published late is found as well.

import { basename, dirname, join } from 'node:path'

import { inOneLine, parseParams } from '../../lib/spool/event.ts'
import { parseRetryOf } from '../../lib/spool/retry.ts'
import type { Spool } from '../../lib/spool/spool.ts'
import { isTaskId, parseTaskName } from '../../lib/spool/task-name.ts'
import type { TaskId } from '../../lib/spool/task-name.ts'
import { readIfThere } from '../../lib/system/durable.ts'
import { listNow } from '../../lib/system/polled.ts'
import { listAllIfThere, mustList } from '../../lib/system/listing.ts'
import { say, warn } from '../../lib/system/log.ts'
import { look } from '../../lib/view/settled.ts'
import { askCancel } from '../../lib/view/wishes.ts'
import type { ForgeProject } from './project.ts'
import { readChanges, readTips } from './state.ts'
import type { ChangeState } from './state.ts'
import { TASK } from '../../lib/spool/job-files.ts'

/** The ref, revision and change of a task. */
interface Of {
  readonly ref: string
  readonly revision: string
  readonly change: number | undefined
  /** The branch that its change was to go into; undefined where that was not known. */
  readonly target: string | undefined
  /** A person asked for it, and means it. */
  readonly wished: boolean
}

export class Superseder {
  readonly #spool: Spool
  readonly #project: ForgeProject
  /** Tasks that were looked at, by name. */
  #known = new Map<TaskId, Of | undefined>()
  #cancelled = new Set<string>()

  constructor(spool: Spool, project: ForgeProject) {
    this.#spool = spool
    this.#project = project
  }

  /** Cancels what is superseded now. */
  look(): void {
    const { name, inbox } = this.#project
    // Tasks first: what is published afterwards is of a state that we read. Not `listNow`, whose change of the directory's times
    // would wake the fetcher again; what an NFS client hides for a moment is found by the next look.
    const tasks = mustList(this.#spool.tasks.cur)
      .filter(isTaskId)
      .filter(task => parseTaskName(task)?.project === name)
    const known = new Map(tasks.map(task => [task, this.#known.get(task) ?? this.#read(task)]))
    this.#known = known
    this.#cancelled = new Set(tasks.filter(task => this.#cancelled.has(task)))
    const numbers = [...known.values()].flatMap(of => of?.change ?? [])
    const changes = new Map(readChanges(inbox, numbers).map(change => [change.number, change]))
    const tips = this.#project.supersede === 'all' ? readTips(inbox) : undefined
    for (const [task, of] of known) {
      if (!of || this.#cancelled.has(task)) continue
      const why = this.#whyOver(of, changes, tips)
      if (why === undefined) continue
      this.#cancelled.add(task)
      const refused = askCancel(this.#spool, task)
      if (refused) warn('cancel', task, refused)
      else say('info', `${name}: cancelled ${task}: ${why}`)
    }
  }

  #whyOver(
    of: Of,
    changes: ReadonlyMap<number, ChangeState>,
    tips: ReadonlyMap<string, string> | undefined,
  ): string | undefined {
    if (of.wished) return undefined
    if (of.change !== undefined) {
      const state = changes.get(of.change)
      if (!state) return undefined
      if (!state.open) return `change ${of.change} is closed`
      if (this.#project.supersede === 'no') return undefined
      if (state.head !== of.revision) return `change ${of.change} has the new head ${state.head}`
      const isRetargeted = !!of.target && state.target !== '' && inOneLine(state.target) !== of.target
      return isRetargeted ? `change ${of.change} has the new target ${state.target}` : undefined
    }
    const tip = of.ref.startsWith('refs/heads/') ? tips?.get(of.ref) : undefined
    return tip === undefined || tip === of.revision ? undefined : `${of.ref} is at ${tip}`
  }

  #read(task: string): Of | undefined {
    const directory = join(this.#spool.tasks.cur, task)
    const files = listAllIfThere(directory)
    if (files.length === 0 || files.includes(TASK.cancel)) return undefined
    const read = (file: string) => (files.includes(file) ? (readIfThere(join(directory, file)) ?? '') : '')
    const { CHANGE: change, TARGET: target } = parseParams(read(TASK.params))
    return {
      ref: read(TASK.ref).trim(),
      revision: read(TASK.revision).trim(),
      change: /^\d{1,15}$/.test(change ?? '') ? Number(change) : undefined,
      target,
      wished: parseRetryOf(read(TASK.retryOf))?.cause === 'user',
    }
  }
}

/**
 * True if nothing of this ref and revision is to be built again: an event waits, or each of its checks waits, runs, or has a verdict
 * that was not given because somebody cancelled it.
 */
export function standsFor(spool: Spool, project: ForgeProject, ref: string, revision: string): boolean {
  const { name, revs } = project
  const making = join(dirname(revs), '.making', basename(revs))
  const isIn = (root: string) => listAllIfThere(join(root, ref)).includes(revision)
  // In the order in which they move on.
  if (isIn(revs) || listAllIfThere(making).some(record => isIn(join(making, record)))) return true
  const newest = newestTasks(spool, name, ref, revision)
  return newest.length > 0 && newest.every(({ isCancelled }) => !isCancelled)
}

interface Newest {
  readonly num: number
  readonly isCancelled: boolean
}

/** The newest task of each check of a ref and revision. */
function newestTasks(spool: Spool, project: string, ref: string, revision: string): Newest[] {
  const checks = new Map<string, Newest>()
  for (const { at, names } of [
    { at: spool.tasks.cur, names: listNow(spool.tasks.cur) },
    { at: spool.tasks.old, names: listAllIfThere(spool.tasks.old) },
  ])
    for (const task of names) {
      if (parseTaskName(task)?.project !== project) continue
      // Of many tasks few are of this ref, and one file says so.
      if ((readIfThere(join(at, task, TASK.ref))?.trim() ?? ref) !== ref) continue
      const view = look(spool, task)?.view
      if (view?.ref !== ref || view.revision !== revision) continue
      const { num, label, arch, host, job, cancelling } = view
      const check = JSON.stringify([label, arch, host])
      const isCancelled = job?.verdict ? job.verdict === 'cancelled' : cancelling
      if (num >= (checks.get(check)?.num ?? 0)) checks.set(check, { num, isCancelled })
    }
  return [...checks.values()]
}
