// What a farm does, laid out as a spool that nobody takes work from: the reporter's pages show it as they show any spool. It
// is made of the database alone and can be thrown away; logs are fetched when somebody opens their job.
//
//   tasks/cur, tasks/old, jobs/cur, jobs/old, takers   as in a spool; never a task without its job where it runs

import {
  mkdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
  appendFileSync,
  renameSync,
  statSync,
  truncateSync,
} from 'node:fs'
import { dirname, join } from 'node:path'

import { ignoringENOENT } from '../../lib/base/errno.ts'
import { formatLabel } from '../../lib/base/tai64n.ts'
import { isFilePath } from '../../lib/farm/protocol.ts'
import type { JobFile } from '../../lib/farm/protocol.ts'
import { formatEnd, stepDirectory } from '../../lib/spool/job-files.ts'
import { formatOwner } from '../../lib/spool/job.ts'
import { spoolAt } from '../../lib/spool/spool.ts'
import type { Spool } from '../../lib/spool/spool.ts'
import { toPart } from '../../lib/spool/task-name.ts'
import { listIfThere } from '../../lib/system/listing.ts'
import type { StepView } from '../../lib/view/view.ts'
import type { Blobs } from './blobs.ts'
import type { Database } from './database.ts'
import { keyOf } from './v1.ts'

/** So many results and waiting jobs are laid out, the newest and the first; all others are counted, not shown. */
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
  readonly cancelled: string | null
  readonly title: string | null
  readonly author: string | null
  readonly url: string | null
}

interface Over extends Row {
  readonly verdict: string
  readonly error: string | null
  readonly ended: Date
  readonly retried_as: number | null
}

const nameOf = ({ num, project, version, arch, host }: Row): string =>
  [num, project, version, arch, ...(host === null ? [] : [host])].join(':')

export class Showcase {
  readonly spool: Spool
  readonly #db: Database
  readonly #blobs: Blobs
  /** What each name was laid out as. */
  readonly #shown = new Map<string, string>()
  readonly #fetched = new Set<string>()
  /** Jobs that are over and still in `jobs/cur`, where the pages find what is new, with the time they came there. */
  readonly #settling = new Map<string, number>()
  #seen: Date | undefined

  constructor(root: string, db: Database, blobs: Blobs) {
    rmSync(root, { recursive: true, force: true })
    this.spool = spoolAt(root)
    const { tasks, jobs, takers, pause, revs } = this.spool
    for (const path of [...Object.values(tasks), ...Object.values(jobs), takers, pause, revs, this.spool.ctr])
      mkdirSync(path, { recursive: true })
    this.#db = db
    this.#blobs = blobs
  }

  /** Brings it up to date. One at a time. */
  async refresh(): Promise<void> {
    const db = this.#db
    // Oldest first, so that what is over is found where it was when it leaves `cur`.
    const over = await db<Over[]>`
      select * from (select r.*, null as cancelled, c.title, c.author, c.url from result r left join change c on c.id = r.change
        where r.ended >= ${this.#seen ?? new Date(0)} order by r.ended desc limit ${RESULTS}) newest order by ended`
    const active = await db<Row[]>`
      select j.*, run.attempt, run.started, coalesce(run.steps, '[]') as steps, w.host as worker_host, w.slot as worker_slot,
        c.title, c.author, c.url
      from job j left join run on run.job = j.num left join worker w on w.id = run.worker left join change c on c.id = j.change
      order by run.job is null, priority desc, turn, depth desc, num limit ${WAITING}`
    const waits = new Set(active.map(nameOf))
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
    await this.#workers()
  }

  /** Lays a job out that runs or waits. */
  #put(row: Row): void {
    const name = nameOf(row)
    const state = JSON.stringify([row.attempt, row.cancelled, row.steps])
    const before = this.#shown.get(name)
    if (before === state || before?.startsWith('over')) return
    const task = join(this.spool.tasks.cur, name)
    if (before === undefined) this.#putTask(row, task)
    if (row.cancelled !== null) writeFileSync(join(task, 'cancel'), '')
    const job = join(this.spool.jobs.cur, name)
    if (row.attempt === null || before?.includes(row.attempt) === false) {
      rmSync(job, { recursive: true, force: true })
      this.#fetched.delete(name)
    }
    if (row.attempt !== null) this.#putJob(row, job)
    this.#shown.set(name, state)
  }

  #putTask(row: Row, task: string): void {
    const hidden = join(this.spool.tasks.tmp, row.num.toString())
    mkdirSync(hidden)
    const put = (file: string, text: string) => writeAt(join(hidden, file), text, row.made)
    put('code-revision.txt', row.revision + '\n')
    put('code-version.txt', row.version + '\n')
    put('ref.txt', row.ref + '\n')
    put('label.txt', row.label + '\n')
    if (row.priority !== 0) put('priority', `${row.priority}\n`)
    const change = { TITLE: row.title, AUTHOR: row.author, URL: row.url }
    const params = { CHECK: row.label, ...change, ...row.params }
    const lines = Object.entries(params).filter((pair): pair is [string, string] => !!pair[1])
    put('params.txt', lines.map(([key, value]) => `${key}=${value.replace(/[\r\n]/g, ' ')}\n`).join(''))
    if (row.retry_of !== null) {
      const parent = [
        row.retry_of,
        row.project,
        row.version,
        row.arch,
        ...(row.host === null ? [] : [row.host]),
      ].join(':')
      put('retry-of.txt', `${parent} user 0\n`)
    }
    renameSync(hidden, task)
  }

  #putJob(row: Row, job: string): void {
    const made = ignoringENOENT(() => statSync(job)) === undefined
    mkdirSync(job, { recursive: true })
    if (made) {
      const [host, slot, token] = [row.worker_host ?? '', row.worker_slot ?? '', row.attempt ?? '']
      const owner = { host, boot: '', slot, pid: 0, start: '', namespace: '', token }
      writeAt(join(job, 'owner.txt'), formatOwner(owner), row.started ?? row.made)
      writeFileSync(join(job, 'host.txt'), host + '\n')
      writeFileSync(join(job, 'alive'), '')
    }
    for (const step of row.steps) putStep(job, step)
  }

  #putOver(row: Over): void {
    const name = nameOf(row)
    const state = `over ${row.retried_as ?? ''}`
    if (this.#shown.get(name) === state) return
    const [task, job] = [join(this.spool.tasks.cur, name), join(this.spool.jobs.cur, name)]
    const oldTask = join(this.spool.tasks.old, name)
    if (!this.#shown.get(name)?.startsWith('over')) {
      if (this.#shown.get(name) === undefined) this.#putTask(row, task)
      // What was there live is fetched anew, whole.
      for (const step of listIfThere(join(job, 'steps'))) {
        for (const stream of ['stdout', 'stderr'])
          rmSync(join(stepDirectory(job, step), `${stream}.txt`), { force: true })
      }
      this.#fetched.delete(name)
      if (row.attempt !== null || row.started !== null) this.#putJob(row, job)
      else mkdirSync(job, { recursive: true })
      if (row.error !== null) writeFileSync(join(job, 'error.txt'), sentence(row.error))
      writeAt(join(job, 'result.txt'), row.verdict + '\n', row.ended)
      renameSync(task, oldTask)
      this.#settling.set(name, performance.now())
    }
    if (row.retried_as !== null) {
      const { project, version, arch, host } = row
      const again = [row.retried_as, project, version, arch, ...(host === null ? [] : [host])].join(':')
      writeFileSync(join(this.#jobAt(name), 'retried-as.txt'), again + '\n')
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
    this.#fetched.delete(name)
  }

  async #workers(): Promise<void> {
    const rows = await this.#db<{ host: string; slot: string; arch: string; version: string; seen: Date }[]>`
      select host, slot, arch, version, seen from worker`
    const there = new Set<string>()
    for (const { host, slot, arch, version, seen } of rows) {
      const card = join(this.spool.takers, `${host}:${toPart(slot.replace(/^\//, ''), 120)}`)
      there.add(card)
      mkdirSync(card, { recursive: true })
      writeFileSync(join(card, 'about.txt'), `host=${host}\nslot=${slot}\narch=${arch}\nversion=${version}\n`)
      writeAt(join(card, 'alive'), '', seen)
    }
    for (const name of listIfThere(this.spool.takers)) {
      const card = join(this.spool.takers, name)
      if (!there.has(card)) rmSync(card, { recursive: true, force: true })
    }
  }

  /**
   * Fetches the files of a job that somebody opens: from the store if it is over; while it runs, its worker is asked to send
   * what it writes for the next `watch` seconds.
   */
  async open(num: number, watch = 30): Promise<void> {
    const db = this.#db
    const [run] = await db<{ attempt: string }[]>`
      update run set watched = now() + ${watch} * interval '1 second' where job = ${num} returning attempt`
    if (run) return this.follow(run.attempt)
    const [row] = await db<(Over & { files: JobFile[] })[]>`
      select r.*, null as cancelled, c.title, c.author, c.url from result r left join change c on c.id = r.change where num = ${num}`
    if (!row) return
    const name = nameOf(row)
    // One that is older than what is shown.
    if (!this.#shown.get(name)?.startsWith('over')) this.#putOver(row)
    if (this.#fetched.has(name) || row.attempt === null) return
    this.#fetched.add(name)
    try {
      for (const { path, size } of row.files) {
        if (!isFilePath(path)) continue
        const place = join(this.#jobAt(name), path)
        // An artifact is fetched when it is opened; until then it is as long as it is, and takes no room.
        if (path.startsWith('artifacts/')) reserve(place, size)
        else await this.#fetch(keyOf(num, row.attempt, path), place)
      }
    } catch (error) {
      this.#fetched.delete(name)
      throw error
    }
  }

  /** Fetches an artifact of a job that is over. */
  async openFile(num: number, path: string): Promise<void> {
    const [row] = await this.#db<(Row & { files: JobFile[] })[]>`select * from result where num = ${num}`
    if (!row || row.attempt === null || !row.files.some(file => file.path === path)) return
    const key = keyOf(num, row.attempt, path)
    if (this.#fetched.has(key)) return
    await this.#fetch(key, join(this.#jobAt(nameOf(row)), path))
    this.#fetched.add(key)
  }

  async #fetch(key: string, path: string): Promise<void> {
    const bytes = await this.#blobs.open(key)
    if (!bytes) return
    mkdirSync(dirname(path), { recursive: true })
    const hidden = join(dirname(path), '.new')
    writeFileSync(hidden, '')
    try {
      for (let at = 0; at < bytes.size;) {
        const part = await bytes.read(at, 1 << 20)
        if (part.length === 0) break
        appendFileSync(hidden, part)
        at += part.length
      }
      renameSync(hidden, path)
    } finally {
      await bytes.close()
    }
  }

  readonly #at = new Map<string, number>()

  /** Adds what a worker has sent of a running job since. */
  async follow(attempt: string): Promise<void> {
    const [job] = await this.#db<
      Row[]
    >`select job.* from job join run on run.job = job.num where attempt = ${attempt}`
    if (!job) return
    const directory = join(this.spool.jobs.cur, nameOf(job))
    if (ignoringENOENT(() => statSync(directory)) === undefined) return
    const streams = await this.#db<{ step: string; stream: string }[]>`
      select distinct step, stream from live where attempt = ${attempt}`
    for (const { step, stream } of streams) {
      const path = join(stepDirectory(directory, step), `std${stream}.txt`)
      if (!isFilePath(`${step}/x`) || step.includes('/')) continue
      const key = `${attempt} ${step} ${stream}`
      const rows = await this.#db<{ at: number; bytes: Buffer }[]>`select at, bytes from live
        where attempt = ${attempt} and step = ${step} and stream = ${stream} and at >= ${this.#at.get(key) ?? 0} order by at`
      mkdirSync(dirname(path), { recursive: true })
      for (const { at, bytes } of rows) {
        // Another look may have added it meanwhile.
        if (at < (this.#at.get(key) ?? 0)) continue
        appendFileSync(path, bytes)
        this.#at.set(key, at + bytes.length)
      }
    }
  }
}

function reserve(path: string, size: number): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, '')
  truncateSync(path, size)
}

function putStep(job: string, step: StepView): void {
  const directory = stepDirectory(job, step.name)
  if (!isFilePath(step.name) || step.name.includes('/')) return
  mkdirSync(directory, { recursive: true })
  const label = (time: number) => `${formatLabel(time)}\n`
  if (step.started !== null) writeFileSync(join(directory, 'started'), label(step.started))
  if (step.ended !== null) writeFileSync(join(directory, 'ended'), label(step.ended))
  const end = endOf(step)
  if (end !== undefined) writeFileSync(join(directory, 'exitcode.txt'), end)
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
