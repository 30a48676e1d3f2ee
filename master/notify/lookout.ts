// Searches the spool for tasks that reached a new stage, and records a notice for each channel of the project
// (state N0 of lib/INTERNALS.md). Finished and known tasks cost only their name in memory: a round lists
// current tasks, and finished ones only if those changed.

import type { ProjectChannels } from './channels.ts'
import { timeOf } from '../../lib/system/durable.ts'
import { mustList } from '../../lib/system/listing.ts'
import { warnOnce } from '../../lib/system/log.ts'
import { parseTasks } from '../../lib/spool/spool.ts'
import type { Spool } from '../../lib/spool/spool.ts'
import { compareByNumber, numberOf } from '../../lib/spool/task-name.ts'
import type { TaskName } from '../../lib/spool/task-name.ts'
import { readView } from '../../lib/view/view.ts'
import { whereIs } from '../../lib/view/whereabouts.ts'
import type { Courier } from './courier.ts'
import { describe } from './notice.ts'
import { changeOf, outcomeOf, stagesOf, wants } from './policy.ts'
import type { TaskStage } from './policy.ts'
import type { RefStates } from './ref-state.ts'

/** Between two listings of what is over, in milliseconds: only what came there unseen is found by that. */
const OLD_EVERY = 60_000
/** Between two looks for what was pruned. */
const TIDY_EVERY = 3_600_000

/** A project whose couriers are at work. */
export interface ToldProject extends ProjectChannels {
  readonly couriers: readonly Courier[]
  readonly states: RefStates
}

export class Lookout {
  readonly #spool: Spool
  readonly #projects: ReadonlyMap<string, ToldProject>
  /** The tasks current at the last round: they may be finished and in `old` at the next. */
  #current = new Map<string, TaskName>()
  #old: { at: number; time: number | null | undefined } = { at: -Infinity, time: undefined }
  #tidied = -Infinity

  constructor(spool: Spool, projects: readonly ToldProject[]) {
    this.#spool = spool
    this.#projects = new Map(projects.map(project => [project.name, project]))
  }

  /** One round. A failure for one task is reported, and tried again in the next. */
  async look(): Promise<void> {
    const { tasks, jobs } = this.#spool
    // Jobs before tasks: a job whose task is not in the later listing is one whose task has left it.
    const shown = this.#ours(jobs.cur)
    const waiting = this.#ours(tasks.cur)
    const current = new Map([...shown, ...waiting])
    const over = new Map([...shown].filter(([name]) => !waiting.has(name)))
    for (const [name, task] of this.#current) if (!current.has(name)) over.set(name, task)
    const now = performance.now()
    const time = timeOf(jobs.old)
    if (time !== this.#old.time && now - this.#old.at >= OLD_EVERY) {
      this.#old = { at: now, time }
      for (const [name, task] of this.#ours(jobs.old)) over.set(name, task)
    }
    for (const task of byNumber(over)) await this.#see(task, 'over', current)
    for (const task of byNumber(waiting))
      await this.#see(task, shown.has(task.name) ? 'running' : 'waiting', current)
    this.#current = current
    if (now - this.#tidied >= TIDY_EVERY) {
      this.#tidied = now
      this.#tidy()
    }
  }

  /** The tasks of our projects in a directory, by name. */
  #ours(directory: string): Map<string, TaskName> {
    const tasks = parseTasks(mustList(directory), directory).filter(({ project }) =>
      this.#projects.has(project),
    )
    return new Map(tasks.map(task => [task.name, task]))
  }

  async #see(task: TaskName, stage: TaskStage, current: Map<string, TaskName>): Promise<void> {
    const project = this.#projects.get(task.project)!
    if (!project.couriers.some(courier => lacks(courier, task.num, stage))) return
    try {
      if (!(await this.#record(project, task, stage))) current.set(task.name, task)
    } catch (error) {
      current.set(task.name, task)
      warnOnce('tell of', task.name, error)
    }
  }

  /** N0: decides for each channel which notices of this task it gets. Returns false if that has to wait. */
  async #record(project: ToldProject, task: TaskName, stage: TaskStage): Promise<boolean> {
    const where = whereIs(this.#spool, task.name)
    const view = where && readView(where)
    // Pruned already, or taken for over while it was on its way from one directory to the next.
    if (!view) return true
    if (stage === 'over' && view.state !== 'over') return false
    const outcome = view.job?.verdict ? outcomeOf(view.job.verdict, view.job.retriedAs) : null
    const before = stage === 'over' && outcome !== null ? project.states.note(view, outcome) : undefined
    const change = before === undefined ? null : changeOf(outcome, before?.outcome ?? null)
    // The notice that a task runs comes before the one that it finished, even if both are late.
    const stages = stagesOf(view).filter(reached => stage === 'over' || reached !== 'over')
    const entries = project.couriers.flatMap(({ channel, records }) =>
      stages
        .map(reached => ({ records, reached, told: wants(channel.policy, reached, outcome, change) }))
        .filter(({ reached, told }) => told || reached === 'over'),
    )
    // A description takes git and a log, and most finished tasks are announced to nobody.
    const notice = entries.some(({ told }) => told)
      ? await describe(project, view, where.jobAt, change, before?.revision ?? null)
      : undefined
    for (const { records, reached, told } of entries) {
      records.add({ num: task.num, stage: reached }, told ? JSON.stringify(notice!(reached)) : undefined)
    }
    for (const courier of project.couriers) courier.ring()
    return true
  }

  /** N3 to nothing: what was pruned is forgotten. */
  #tidy(): void {
    const { tasks, jobs } = this.#spool
    const there = new Set([tasks.cur, jobs.cur, tasks.old, jobs.old].flatMap(mustList).map(numberOf))
    const isThere = (num: number) => there.has(num)
    for (const { name, couriers, states } of this.#projects.values()) {
      states.tidy(isThere)
      for (const courier of couriers) {
        const { channel } = courier
        for (const { num, stage } of courier.tidy(isThere)) {
          warnOnce('tell', `${name}/${channel.name} ${num}.${stage}`, 'its job has been pruned meanwhile')
        }
      }
    }
  }
}

const lacks = ({ channel, records }: Courier, num: number, stage: TaskStage): boolean =>
  (stage === 'over' || channel.policy === 'all') && !records.has({ num, stage })

const byNumber = (tasks: ReadonlyMap<string, TaskName>): TaskName[] =>
  [...tasks.values()].sort(compareByNumber)
