// The work of a farm, laid out as a spool that nobody takes work from: the reporter's pages show it as they show any spool. It
// is made of the database alone, holds names, states and times but no output, and can be thrown away.
//
//   tasks/cur, tasks/old, jobs/cur, jobs/old, takers   as in a spool; never a task without its job where it runs

import { mkdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { ignoringENOENT } from '../../lib/base/errno.ts'
import { formatLabel } from '../../lib/base/tai64n.ts'
import { makeDirectories } from '../../lib/system/directories.ts'
import { isFilePath } from '../../lib/farm/protocol.ts'
import type { About } from '../../lib/farm/protocol.ts'
import { JOB, STEP, TASK, formatEnd, stepDirectory } from '../../lib/spool/job-files.ts'
import { formatOwner } from '../../lib/spool/job.ts'
import { spoolAt } from '../../lib/spool/spool.ts'
import type { Spool } from '../../lib/spool/spool.ts'
import { numberOf } from '../../lib/spool/task-name.ts'
import type { StepView } from '../../lib/view/view.ts'
import type { Database } from './database.ts'
import { Cards } from './cards.ts'
import { Held } from './held.ts'

/**
 * So many results and waiting jobs are laid out, the newest and the first; older results when somebody asks for them, and
 * until there are twice as many.
 */
const RESULTS = 2000
const WAITING = 1000
/** The pages list what is over once a minute, and what is new all the time. In milliseconds. */
const SETTLE = 90_000

interface Row {
  readonly num: number
  readonly project: string
  readonly version: string
  readonly revision: string
  readonly ref: string
  readonly label: string
  readonly arch: string
  readonly host: string | null
  readonly params: Record<string, string>
  readonly priority: number
  readonly made: Date
  readonly retry_of: number | null
  readonly attempt: string | null
  readonly worker_host: string | null
  readonly worker_slot: string | null
  readonly started: Date | null
  readonly steps: readonly StepView[]
  readonly about: About | null
  readonly cancelled: string | null
  /** How the attempt before was lost. */
  readonly loss: string | null
  readonly title: string | null
  readonly author: string | null
  readonly url: string | null
}

interface Over extends Row {
  readonly verdict: string
  readonly error: string | null
  readonly ended: Date
  readonly retried_as: number | null
  /** Whether there are any. */
  readonly artifacts: boolean
}

/** The name of a task, or of the one with another number that is tried for it, or was. */
const nameOf = ({ project, version, arch, host, ...row }: Row, num = row.num): string =>
  [num, project, version, arch, ...(host === null ? [] : [host])].join(':')

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
    // Oldest first, so that what is over is found where it was when it leaves `cur`.
    const over = await db<Over[]>`
      select * from (select ${overColumns(db)} where r.ended >= ${this.#seen ?? new Date(0)}
        order by r.ended desc limit ${RESULTS}) newest order by ended`
    const active = await db<Row[]>`
      select j.*, run.attempt, run.started, run.about, coalesce(run.steps, '[]') as steps, w.host as worker_host, w.slot as worker_slot,
        c.title, c.author, c.url
      from job j left join run on run.job = j.num left join worker w on w.id = run.worker left join change c on c.id = j.change
      order by run.job is null, priority desc, turn, depth desc, num limit ${WAITING}`
    const waits = new Set(active.map(row => nameOf(row)))
    const first = this.#seen === undefined
    for (const row of active) this.#put(row)
    for (const row of over) {
      this.#putOver(row)
      this.#seen = row.ended
    }
    this.#seen ??= new Date(0)
    for (const [name, since] of this.#settling) {
      if (!first && performance.now() - since < SETTLE) continue
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

  /** Lays a job out that runs or waits. */
  #put(row: Row): void {
    const name = nameOf(row)
    const state = JSON.stringify([row.attempt, row.cancelled, row.loss, row.steps, row.about])
    const before = this.#shown.get(name)
    if (before === state || before?.startsWith('over')) return
    const task = join(this.spool.tasks.cur, name)
    if (before === undefined) this.#putTask(row, task)
    if (row.cancelled !== null) writeFileSync(join(task, TASK.cancel), '')
    putLoss(row, task)
    const job = join(this.spool.jobs.cur, name)
    if (row.attempt === null || before?.includes(row.attempt) === false) {
      rmSync(job, { recursive: true, force: true })
    }
    if (row.attempt !== null) this.#putJob(row, job)
    this.#shown.set(name, state)
  }

  #putTask(row: Row, task: string): void {
    const hidden = join(this.spool.tasks.tmp, row.num.toString())
    mkdirSync(hidden)
    const put = (file: string, text: string) => writeAt(join(hidden, file), text, row.made)
    put(TASK.revision, row.revision + '\n')
    put('code-version.txt', row.version + '\n')
    put(TASK.ref, row.ref + '\n')
    put(TASK.label, row.label + '\n')
    if (row.priority !== 0) put('priority', `${row.priority}\n`)
    const change = { TITLE: row.title, AUTHOR: row.author, URL: row.url }
    const params = { CHECK: row.label, ...change, ...row.params }
    const lines = Object.entries(params).filter((pair): pair is [string, string] => !!pair[1])
    put(TASK.params, lines.map(([key, value]) => `${key}=${value.replace(/[\r\n]/g, ' ')}\n`).join(''))
    if (row.retry_of !== null) {
      put(TASK.retryOf, `${nameOf(row, row.retry_of)} user 0\n`)
    }
    renameSync(hidden, task)
  }

  #putJob(row: Row, job: string): void {
    const made = ignoringENOENT(() => statSync(job)) === undefined
    makeDirectories(job)
    if (made) {
      const [host, slot, token] = [row.worker_host ?? '', row.worker_slot ?? '', row.attempt ?? '']
      const owner = { host, boot: '', slot, pid: 0, start: '', namespace: '', token }
      writeAt(join(job, JOB.owner), formatOwner(owner), row.started ?? row.made)
      writeFileSync(join(job, JOB.host), host + '\n')
      writeFileSync(join(job, JOB.alive), '')
    }
    for (const step of row.steps) putStep(job, step)
    const { place, notes = [] } = row.about ?? {}
    if (place !== undefined) writeFileSync(join(job, JOB.place), place + '\n')
    if (notes.length > 0) writeFileSync(join(job, JOB.notes), notes.join('\n') + '\n')
  }

  #putOver(row: Over): void {
    const name = nameOf(row)
    const state = `over ${row.retried_as ?? ''}`
    this.#ended.set(name, row.ended)
    if (this.#shown.get(name) === state) return
    const [task, job] = [join(this.spool.tasks.cur, name), join(this.spool.jobs.cur, name)]
    const oldTask = join(this.spool.tasks.old, name)
    if (!this.#shown.get(name)?.startsWith('over')) {
      if (this.#shown.get(name) === undefined) this.#putTask(row, task)
      if (row.attempt !== null || row.started !== null) this.#putJob(row, job)
      else makeDirectories(job)
      if (row.artifacts) makeDirectories(join(job, JOB.artifacts))
      if (row.error !== null) writeFileSync(join(job, JOB.error), sentence(row.error))
      writeAt(join(job, JOB.result), row.verdict + '\n', row.ended)
      putLoss(row, task)
      renameSync(task, oldTask)
      this.#settling.set(name, performance.now())
    }
    if (row.retried_as !== null) {
      writeFileSync(join(this.#jobAt(name), JOB.retriedAs), nameOf(row, row.retried_as) + '\n')
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
    if (!row || this.#shown.get(nameOf(row))?.startsWith('over')) return false
    this.#putOver(row)
    return true
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

/** The columns of a result that pages show; its files, which may be many, are not. */
const overColumns = (db: Database) => db`
  r.num, r.project, r.version, r.revision, r.ref, r.label, r.arch, r.host, r.params, r.priority, r.made, r.retry_of, r.attempt,
  r.worker_host, r.worker_slot, r.started, r.steps, r.about, r.verdict, r.error, r.ended, r.loss, r.retried_as, null as cancelled,
  c.title, c.author, c.url, r.files @? '$[*] ? (@.path starts with "artifacts/")' as artifacts
  from result r left join change c on c.id = r.change`

function putLoss({ loss }: Row, task: string): void {
  if (loss !== null) writeFileSync(join(task, TASK.loss), loss + '\n')
}

function putStep(job: string, step: StepView): void {
  const directory = stepDirectory(job, step.name)
  if (!isFilePath(step.name) || step.name.includes('/')) return
  makeDirectories(directory)
  const label = (time: number) => `${formatLabel(time)}\n`
  if (step.started !== null) writeFileSync(join(directory, STEP.started), label(step.started))
  if (step.ended !== null) writeFileSync(join(directory, STEP.ended), label(step.ended))
  const end = endOf(step)
  if (end !== undefined) writeFileSync(join(directory, STEP.exit), end)
}

function endOf({ state, exit, signal }: StepView): string | undefined {
  if (state === 'timeout') return formatEnd('timeout')
  if (signal !== null) return formatEnd({ signal })
  return exit === null ? undefined : formatEnd({ code: exit })
}

const sentence = (text: string): string =>
  `${text[0]?.toUpperCase() ?? ''}${text.slice(1)}${text.endsWith('.') ? '' : '.'}\n`

function writeAt(path: string, text: string, time: Date): void {
  writeFileSync(path, text)
  utimesSync(path, time, time)
}
