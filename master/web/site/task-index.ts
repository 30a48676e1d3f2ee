// All tasks of a spool in little memory: 100,000 of them in about 10 MB. Columns hold what pages filter and
// sort by; everything else is read from the spool when it is shown. It is filled from the newest task
// backwards. The spool is the truth: the index ends with its process.

import type { TaskId, TaskName } from '../../../lib/spool/task-name.ts'
import type { Facts, IndexEntry } from './entry.ts'
import { chooser } from './filter.ts'
import type { Columns, Filter } from './filter.ts'
import { STATES } from './states.ts'
import type { State } from './states.ts'
import { grown, TextColumn } from './text-column.ts'

const GROWTH = 4096
const TEXTS = ['revision', 'target', 'ref', 'host', 'label', 'change'] as const

export class TaskIndex {
  /** How many rows there are; all columns are at least that long and ordered by number. */
  #count = 0
  #num = new Float64Array(GROWTH)
  readonly #columns: { -readonly [K in keyof Columns]: Columns[K] } = {
    revision: new TextColumn(GROWTH),
    target: new TextColumn(GROWTH),
    ref: new TextColumn(GROWTH),
    host: new TextColumn(GROWTH),
    label: new TextColumn(GROWTH),
    change: new TextColumn(GROWTH),
    commit: new Uint32Array(GROWTH),
    state: new Uint8Array(GROWTH),
  }
  /** The row before it of the same revision, plus 1. */
  #previous = new Uint32Array(GROWTH)
  /** The last row of each revision, plus 1. */
  #last: number[] = []
  readonly #projects = new Set<string>()
  /** Numbers of tasks that have a retry. */
  readonly #retried = new Set<number>()
  readonly #unread = { below: 0, count: 0 }
  /** Grows with every change. */
  changes = 0

  get count(): number {
    return this.#count
  }

  get unread(): number {
    return this.#unread.count
  }

  /** The row of a number, or undefined. */
  rowOf(num: number): number | undefined {
    const row = this.#lowerBound(num)
    return row < this.#count && this.#num[row] === num ? row : undefined
  }

  entry(row: number): IndexEntry {
    const { revision, target, ref, host, label, change } = this.#columns
    const [key, num] = [revision.get(row), this.#num[row]!]
    const colon = key.indexOf(':')
    return {
      name: `${num}:${key}:${target.get(row)}` as TaskId,
      num,
      project: key.slice(0, colon),
      version: key.slice(colon + 1),
      target: target.get(row),
      state: this.state(row),
      ref: ref.get(row),
      host: host.get(row),
      label: label.get(row),
      change: change.get(row),
    }
  }

  state(row: number): State {
    return STATES[this.#columns.state[row]!]!
  }

  /** True if it is known that it was retried. */
  wasRetried(row: number): boolean {
    return this.#retried.has(this.#num[row]!)
  }

  num(row: number): number {
    return this.#num[row]!
  }

  /** Adds tasks that it may know already; in any order, but numbers that only grow cost least. */
  add(tasks: readonly TaskName[]): void {
    const fresh = tasks.filter(task => this.rowOf(task.num) === undefined).sort((a, b) => a.num - b.num)
    if (fresh.length === 0) return
    const ordered = this.#count === 0 || fresh[0]!.num > this.#num[this.#count - 1]!
    this.#reserve(this.#count + fresh.length)
    let last = -1
    for (const task of fresh) {
      if (task.num === last) continue
      last = task.num
      const row = this.#count++
      this.#num[row] = task.num
      this.#projects.add(task.project)
      const { arch, host, project, version } = task
      for (const name of TEXTS) this.#columns[name].ids[row] = 0
      this.#columns.state[row] = this.#columns.commit[row] = 0
      this.#columns.revision.set(row, `${project}:${version}`)
      this.#columns.target.set(row, host === undefined ? arch : `${arch}:${host}`)
      if (ordered) this.#chain(row)
    }
    if (!ordered) {
      const rows = Array.from({ length: this.#count }, (_, row) => row)
      this.#keep(rows.sort((a, b) => this.#num[a]! - this.#num[b]!))
    }
    this.#recount()
  }

  /** Forgets the tasks that are over and whose numbers are not among these, which are those still there. */
  retain(nums: ReadonlySet<number>): void {
    const rows: number[] = []
    for (let row = 0; row < this.#count; row++) {
      if (nums.has(this.#num[row]!)) rows.push(row)
    }
    if (rows.length === this.#count) return
    this.#keep(rows)
    this.#forget()
    this.#recount()
  }

  /** Forgets the texts that no row has any more. */
  #forget(): void {
    for (const name of TEXTS) this.#columns[name].retain(this.#count)
    this.#projects.clear()
    for (const text of this.#columns.revision.all()) this.#projects.add(text.slice(0, text.indexOf(':')))
    for (const num of this.#retried) if (this.rowOf(num) === undefined) this.#retried.delete(num)
    this.#rechain()
  }

  /** Writes down what was read of a task. */
  set(row: number, facts: Facts): void {
    const { state, commit } = this.#columns
    const code = STATES.indexOf(facts.state)
    let changed = state[row] !== code
    if (state[row] === 0) this.#unread.count--
    state[row] = code
    for (const name of ['ref', 'host', 'label', 'change'] as const)
      changed = this.#columns[name].set(row, facts[name] ?? '') || changed
    commit[row] = parseInt(facts.commit?.slice(0, 8) ?? '', 16) || 0
    if (facts.retryOf !== undefined) this.#retried.add(facts.retryOf)
    if (changed) this.changes++
  }

  /** The newest row that is not read yet, or undefined. */
  nextUnread(): number | undefined {
    for (let row = this.#unread.below - 1; row >= 0; row--) {
      if (this.#columns.state[row] !== 0) continue
      this.#unread.below = row
      return row
    }
    this.#unread.below = 0
    return undefined
  }

  projects(): string[] {
    return [...this.#projects].sort()
  }

  targets(): string[] {
    return [...this.#columns.target.all()].sort()
  }

  /** The refs that were pushed last, at most so many, the newest first. */
  refs(most: number, filter: Filter = {}): string[] {
    const found = new Set<string>()
    for (const row of this.rows(filter)) {
      const ref = this.#columns.ref.get(row)
      if (ref !== '') found.add(ref)
      if (found.size === most) break
    }
    return [...found]
  }

  findRef(is: (ref: string) => boolean): string | undefined {
    return this.#columns.ref.all().find(is)
  }

  hosts(): string[] {
    return [...this.#columns.host.all()].sort()
  }

  /** Rows that the filter chooses, newest first, below a number. */
  *rows(filter: Filter = {}, below = Infinity): Generator<number> {
    const chosen = chooser(filter, this.#columns)
    for (let row = this.#lowerBound(below) - 1; row >= 0; row--) if (chosen(row)) yield row
  }

  /**
   * Revisions with a row that the filter chooses, by their newest row, below the number of that: each as its rows,
   * newest first.
   */
  *revisions(filter: Filter = {}, below = Infinity): Generator<number[]> {
    const chosen = chooser(filter, this.#columns)
    for (let row = this.#lowerBound(below) - 1; row >= 0; row--) {
      if (this.#last[this.#columns.revision.ids[row]!] !== row + 1) continue
      const rows = this.sameRevision(row)
      if (rows.some(chosen)) yield rows
    }
  }

  /** All rows of the revision of this one, newest first. */
  sameRevision(row: number): number[] {
    const rows: number[] = []
    for (
      let next = this.#last[this.#columns.revision.ids[row]!] ?? 0;
      next > 0;
      next = this.#previous[next - 1]!
    )
      rows.push(next - 1)
    return rows
  }

  /** How many tasks there are of each project, target and state: `add(project, target, state, count)`. */
  tally(add: (project: string, target: string, state: State, count: number) => void): void {
    const counts = new Map<string, number>()
    const projects = this.#columns.revision.all().map(text => text.slice(0, text.indexOf(':')))
    for (let row = 0; row < this.#count; row++) {
      const key = `${projects[this.#columns.revision.ids[row]! - 1]!}\0${this.#columns.target.ids[row]!}\0${this.#columns.state[row]!}`
      counts.set(key, (counts.get(key) ?? 0) + 1)
    }
    for (const [key, count] of counts) {
      const [project, target, state] = key.split('\0')
      add(project!, this.#columns.target.text(Number(target)), STATES[Number(state)]!, count)
    }
  }

  /** The first row whose number is not below this. */
  #lowerBound(num: number): number {
    let [low, high] = [0, this.#count]
    // Most questions are about what came last.
    if (high > 0 && this.#num[high - 1]! < num) return high
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#num[middle]! < num) low = middle + 1
      else high = middle
    }
    return low
  }

  #chain(row: number): void {
    const revision = this.#columns.revision.ids[row]!
    this.#previous[row] = this.#last[revision] ?? 0
    this.#last[revision] = row + 1
  }

  /** Keeps these rows, in this order. */
  #keep(rows: readonly number[]): void {
    const { commit, state } = this.#columns
    for (const column of [this.#num, commit, state, ...TEXTS.map(name => this.#columns[name].ids)]) {
      const kept = rows.map(row => column[row]!)
      column.set(kept)
    }
    this.#count = rows.length
    this.#rechain()
  }

  #rechain(): void {
    this.#last = []
    for (let row = 0; row < this.#count; row++) this.#chain(row)
  }

  #recount(): void {
    this.#unread.below = this.#count
    this.#unread.count = 0
    for (let row = 0; row < this.#count; row++) if (this.#columns.state[row] === 0) this.#unread.count++
    this.changes++
  }

  #reserve(count: number): void {
    if (count <= this.#num.length) return
    const size = Math.max(count, Math.ceil(this.#num.length * 1.25)) + GROWTH
    const columns = this.#columns
    for (const name of TEXTS) columns[name].ids = grown(columns[name].ids, size)
    columns.commit = grown(columns.commit, size)
    columns.state = grown(columns.state, size)
    this.#num = grown(this.#num, size)
    this.#previous = grown(this.#previous, size)
  }
}
