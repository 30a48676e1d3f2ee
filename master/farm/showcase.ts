// The work of a farm, laid out as a spool that nobody takes work from: the reporter's pages show it as they show any spool. It
// is made of the database alone, holds names, states and times but no output, and can be thrown away.
//
//   tasks/cur, tasks/old, jobs/cur, jobs/old, takers   as in a spool; never a task without its job where it runs

import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { JOB, TASK } from '../../lib/spool/job-files.ts'
import { spoolAt } from '../../lib/spool/spool.ts'
import type { Spool } from '../../lib/spool/spool.ts'
import { numberOf } from '../../lib/spool/task-name.ts'
import { breather } from '../../lib/system/breath.ts'
import { makeDirectories } from '../../lib/system/directories.ts'
import { warnOnce } from '../../lib/system/log.ts'
import { Cards } from './cards.ts'
import type { Database } from './database.ts'
import { Held } from './held.ts'
import { putJob, putLoss, putTask, asSentence, writeAt } from './lay-out.ts'
import { taskNameOf, overColumns } from './rows.ts'
import type { Over, JobRow } from './rows.ts'

/**
 * So many results and waiting jobs are laid out, the newest and the first; older results when somebody asks for them, and
 * until there are twice as many.
 */
const RESULTS = 2000
const WAITING = 1000
/** The pages list what is over once a minute, and what is new all the time. In milliseconds. */
const SETTLE = 90_000

export class Showcase {
  readonly spool: Spool
  readonly #db: Database
  readonly #held: Held
  /** The state in which each name was laid out. */
  readonly #shown = new Map<string, string>()
  /** Jobs that are over and still in `jobs/cur`, where the pages find what is new, with the time they came there. */
  readonly #settling = new Map<string, number>()
  /** When each that is over ended, by the database's clock. */
  readonly #ended = new Map<string, Date>()
  readonly #cards: Cards
  #seen: Date | undefined
  #turn = Promise.resolve()

  constructor(root: string, db: Database) {
    rmSync(root, { recursive: true, force: true })
    this.spool = spoolAt(root)
    const { tasks, jobs, takers, pause, revs } = this.spool
    for (const path of [...Object.values(tasks), ...Object.values(jobs), takers, pause, revs, this.spool.ctr])
      makeDirectories(path)
    this.#db = db
    this.#held = new Held(this.spool, db)
    this.#cards = new Cards(this.spool, db)
  }

  /** Brings it up to date: one after the other, so that none undoes what a later one has seen. */
  refresh(): Promise<void> {
    return this.#inTurn(() => this.#refresh())
  }

  #inTurn(act: () => Promise<void> | void): Promise<void> {
    this.#turn = this.#turn.catch(() => undefined).then(act)
    return this.#turn
  }

  async #refresh(): Promise<void> {
    const db = this.#db
    // First of all what is not over: what ends between the two questions has an answer to both. In the other order it had none,
    // and its page would be gone until the next time.
    const active = await db<JobRow[]>`
      select j.*, run.attempt, run.started, run.about, coalesce(run.steps, '[]') as steps, w.host as worker_host, w.slot as worker_slot,
        c.title, c.author, c.url
      from job j left join run on run.job = j.num left join worker w on w.id = run.worker left join change c on c.id = j.change
      order by run.job is null, priority desc, turn, depth desc, num limit ${WAITING}`
    // Oldest first, so that what is over is found where it was when it leaves `cur`.
    const over = await db<Over[]>`
      select * from (select ${overColumns(db)} where r.ended >= ${this.#seen ?? new Date(0)}
        order by r.ended desc limit ${RESULTS}) newest order by ended`
    const waits = new Set(active.map(row => taskNameOf(row)))
    const first = this.#seen === undefined
    // Each is laid out in one go; all of them may take seconds, and a farmer has workers to answer.
    const breathe = breather()
    for (const row of active) {
      await breathe()
      this.#attempt(row, () => this.#put(row))
    }
    let isWhole = true
    for (const row of over) {
      await breathe()
      isWhole = this.#attempt(row, () => this.#putOver(row)) && isWhole
      if (isWhole) this.#seen = row.ended
    }
    this.#seen ??= new Date(0)
    for (const [name, since] of this.#settling) {
      if (!first && performance.now() - since < SETTLE) continue
      await breathe()
      this.#settling.delete(name)
      renameSync(join(this.spool.jobs.cur, name), join(this.spool.jobs.old, name))
    }
    for (const [name, state] of this.#shown) {
      if (state.startsWith('over') || waits.has(name)) continue
      // It vanished with its change, or is not among the first any more.
      this.#remove(name)
    }
    this.#forget()
    await this.#cards.refresh()
    await this.#held.refresh()
  }

  /**
   * Lays one job out; false if that fails, as on a disk that is full. What is half there is removed, or it would be in the way
   * the next time; and one that cannot be shown hides no other.
   */
  #attempt(row: JobRow, put: () => void): boolean {
    try {
      put()
      return true
    } catch (error) {
      const name = taskNameOf(row)
      warnOnce('show', name, error)
      this.#remove(name)
      this.#removeOver(name)
      rmSync(this.#hidden(row), { recursive: true, force: true })
      return false
    }
  }

  /** Where a task is made. */
  #hidden({ num }: JobRow): string {
    return join(this.spool.tasks.tmp, String(num))
  }

  /** Lays a job out that runs or waits. */
  #put(row: JobRow): void {
    const name = taskNameOf(row)
    const state = JSON.stringify([row.attempt, row.cancelled, row.loss, row.steps, row.about])
    const before = this.#shown.get(name)
    if (before === state || before?.startsWith('over')) return
    const task = join(this.spool.tasks.cur, name)
    if (before === undefined) putTask(row, task, this.#hidden(row))
    if (row.cancelled !== null) writeFileSync(join(task, TASK.cancel), '')
    putLoss(row, task)
    const job = join(this.spool.jobs.cur, name)
    if (isOfOther(row, before)) rmSync(job, { recursive: true, force: true })
    if (row.attempt !== null) putJob(row, job)
    if (before === undefined) this.#putRetry(row)
    this.#shown.set(name, state)
  }

  /** Tells of what was retried, which was over before and is not asked for again, as what it was. */
  #putRetry(row: JobRow): void {
    if (row.retry_of === null) return
    const [old, state] = [taskNameOf(row, row.retry_of), `over ${row.num}`]
    const shown = this.#shown.get(old)
    if (!shown?.startsWith('over') || shown === state) return
    writeFileSync(join(this.#jobAt(old), JOB.retriedAs), taskNameOf(row) + '\n')
    this.#shown.set(old, state)
  }

  #putOver(row: Over): void {
    const name = taskNameOf(row)
    const state = `over ${row.retried_as ?? ''}`
    this.#ended.set(name, row.ended)
    const before = this.#shown.get(name)
    if (before === state) return
    const [task, job] = [join(this.spool.tasks.cur, name), join(this.spool.jobs.cur, name)]
    const oldTask = join(this.spool.tasks.old, name)
    if (!before?.startsWith('over')) {
      if (before === undefined) putTask(row, task, this.#hidden(row))
      else if (isOfOther(row, before)) rmSync(job, { recursive: true, force: true })
      if (row.attempt !== null || row.started !== null) putJob(row, job)
      else makeDirectories(job)
      if (row.artifacts) makeDirectories(join(job, JOB.artifacts))
      if (row.error !== null) writeFileSync(join(job, JOB.error), asSentence(row.error))
      writeAt(join(job, JOB.result), row.verdict + '\n', row.ended)
      putLoss(row, task)
      renameSync(task, oldTask)
      this.#settling.set(name, performance.now())
      this.#putRetry(row)
    }
    if (row.retried_as !== null) {
      writeFileSync(join(this.#jobAt(name), JOB.retriedAs), taskNameOf(row, row.retried_as) + '\n')
    }
    this.#shown.set(name, state)
  }

  /** Where a job that is over is. */
  #jobAt(name: string): string {
    return join(this.#settling.has(name) ? this.spool.jobs.cur : this.spool.jobs.old, name)
  }

  #remove(name: string): void {
    for (const base of [this.spool.tasks.cur, this.spool.jobs.cur])
      rmSync(join(base, name), { recursive: true, force: true })
    this.#shown.delete(name)
  }

  /** Lays out a result that is older than what is shown. Returns true if it did. */
  async layOut(num: number): Promise<boolean> {
    const db = this.#db
    const [row] = await db<Over[]>`select ${overColumns(db)} where r.num = ${num}`
    if (!row || this.#shown.get(taskNameOf(row))?.startsWith('over')) return false
    return this.#attempt(row, () => this.#putOver(row))
  }

  /** Removes the oldest of what is over where that is too much. */
  #forget(): void {
    const over = [...this.#shown].filter(([, state]) => state.startsWith('over')).map(([name]) => name)
    if (over.length <= 2 * RESULTS) return
    over.sort((a, b) => numberOf(a) - numberOf(b))
    for (const name of over.slice(0, over.length - RESULTS)) this.#removeOver(name)
  }

  /** Removes what ended before a time, because it is forgotten. */
  hideBefore(time: Date): Promise<void> {
    return this.#inTurn(() => {
      for (const [name, ended] of this.#ended) if (ended < time) this.#removeOver(name)
    })
  }

  #removeOver(name: string): void {
    rmSync(this.#jobAt(name), { recursive: true, force: true })
    rmSync(join(this.spool.tasks.old, name), { recursive: true, force: true })
    this.#settling.delete(name)
    this.#ended.delete(name)
    this.#shown.delete(name)
  }
}

/** True if what is laid out of a job is not of the attempt that it has now. */
const isOfOther = ({ attempt }: JobRow, before: string | undefined): boolean =>
  attempt === null || before?.includes(attempt) === false
