// All tasks of a spool in little memory: 100,000 of them in about 10 MB. Columns hold what pages filter and
// sort by; everything else is read from the spool when it is shown. It is filled from the newest task
// backwards. The spool is the truth: the index ends with its process.

import { VERDICTS } from '../../../lib/spool/job.ts'
import type { Verdict } from '../../../lib/spool/job.ts'
import type { TaskName } from '../../../lib/spool/task-name.ts'

/** `unread`: known by its name only. `gone`: it is over, but its job is not there any more. */
export const STATES = ['unread', 'waiting', 'running', 'gone', ...VERDICTS] as const
export type State = (typeof STATES)[number]

/** True if nothing more will become of it. */
export const isOver = (state: State): boolean => STATES.indexOf(state) >= STATES.indexOf('gone')
export const isVerdict = (state: State): state is Verdict => STATES.indexOf(state) > STATES.indexOf('gone')

/** Texts by number, each held once. */
class Texts {
  #texts: string[] = ['']
  #ids = new Map<string, number>([['', 0]])

  id(text: string): number {
    let id = this.#ids.get(text)
    if (id === undefined) {
      id = this.#texts.length
      // A part of a longer string would hold all of it in memory.
      const own = Buffer.from(text).toString()
      this.#texts.push(own)
      this.#ids.set(own, id)
    }
    return id
  }

  find(text: string): number | undefined {
    return this.#ids.get(text)
  }

  text(id: number): string {
    return this.#texts[id]!
  }

  all(): readonly string[] {
    return this.#texts.slice(1)
  }

  /** Keeps the texts that a column names, and gives it their new numbers. */
  retain(column: Uint32Array | Uint16Array): void {
    const texts = this.#texts
    this.#texts = ['']
    this.#ids = new Map([['', 0]])
    const ids = new Map<number, number>()
    for (const [row, old] of column.entries()) {
      let id = ids.get(old)
      if (id === undefined) ids.set(old, (id = this.id(texts[old]!)))
      column[row] = id
    }
  }
}

/** An entry of the index. */
export interface IndexEntry {
  readonly name: string
  readonly num: number
  readonly project: string
  readonly version: string
  /** `ARCH` or `ARCH:HOST`. */
  readonly target: string
  readonly state: State
  /** Empty where there is none, or it is not read yet. */
  readonly ref: string
  /** Where it ran; empty as `ref`. */
  readonly host: string
  /** The name of its check; empty as `ref`. */
  readonly label: string
}

/** The filter; a missing field filters nothing. */
export interface Filter {
  readonly project?: string | undefined
  readonly ref?: string | undefined
  readonly state?: State | undefined
  readonly arch?: string | undefined
  readonly host?: string | undefined
  /** Part of a version. */
  readonly text?: string | undefined
}

const GROWTH = 4096

export class TaskIndex {
  /** How many rows there are; all columns are at least that long and ordered by number. */
  #count = 0
  #num = new Float64Array(GROWTH)
  /** `PROJECT:VERSION`, the revision of the row. */
  #revision = new Uint32Array(GROWTH)
  #target = new Uint16Array(GROWTH)
  #ref = new Uint32Array(GROWTH)
  #host = new Uint32Array(GROWTH)
  #label = new Uint32Array(GROWTH)
  #state = new Uint8Array(GROWTH)
  /** The row before it of the same revision, plus 1. */
  #previous = new Uint32Array(GROWTH)
  /** The last row of each revision, plus 1. */
  #last: number[] = []
  readonly #revisions = new Texts()
  readonly #targets = new Texts()
  readonly #refs = new Texts()
  readonly #hosts = new Texts()
  readonly #labels = new Texts()
  readonly #projects = new Set<string>()
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
    const revision = this.#revisions.text(this.#revision[row]!)
    const target = this.#targets.text(this.#target[row]!)
    const colon = revision.indexOf(':')
    const num = this.#num[row]!
    return {
      name: `${num}:${revision}:${target}`,
      num,
      project: revision.slice(0, colon),
      version: revision.slice(colon + 1),
      target,
      state: this.state(row),
      ref: this.#refs.text(this.#ref[row]!),
      host: this.#hosts.text(this.#host[row]!),
      label: this.#labels.text(this.#label[row]!),
    }
  }

  state(row: number): State {
    return STATES[this.#state[row]!]!
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
      this.#revision[row] = this.#revisions.id(`${task.project}:${task.version}`)
      this.#target[row] = this.#targets.id(task.host === undefined ? task.arch : `${task.arch}:${task.host}`)
      this.#ref[row] = this.#host[row] = this.#label[row] = this.#state[row] = 0
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
    const columns = [
      [this.#revision, this.#revisions],
      [this.#target, this.#targets],
      [this.#ref, this.#refs],
      [this.#host, this.#hosts],
      [this.#label, this.#labels],
    ] as const
    for (const [column, texts] of columns) texts.retain(column.subarray(0, this.#count))
    this.#projects.clear()
    for (const text of this.#revisions.all()) this.#projects.add(text.slice(0, text.indexOf(':')))
    this.#rechain()
  }

  /** Writes down what was read of a task. */
  set(row: number, state: State, ref: string, host: string, label = ''): void {
    const code = STATES.indexOf(state)
    const [refId, hostId, labelId] = [this.#refs.id(ref), this.#hosts.id(host), this.#labels.id(label)]
    const same = this.#ref[row] === refId && this.#host[row] === hostId && this.#label[row] === labelId
    if (same && this.#state[row] === code) return
    if (this.#state[row] === 0) this.#unread.count--
    this.#state[row] = code
    this.#ref[row] = refId
    this.#host[row] = hostId
    this.#label[row] = labelId
    this.changes++
  }

  /** The newest row that is not read yet, or undefined. */
  nextUnread(): number | undefined {
    for (let row = this.#unread.below - 1; row >= 0; row--) {
      if (this.#state[row] !== 0) continue
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
    return [...this.#targets.all()].sort()
  }

  /** The refs that were pushed last, at most so many, in the order of their names. */
  refs(most: number): string[] {
    const ids = new Set<number>()
    for (let row = this.#count - 1; row >= 0 && ids.size < most; row--) {
      if (this.#ref[row]! > 0) ids.add(this.#ref[row]!)
    }
    return [...ids].map(id => this.#refs.text(id)).sort()
  }

  findRef(is: (ref: string) => boolean): string | undefined {
    return this.#refs.all().find(is)
  }

  hosts(): string[] {
    return [...this.#hosts.all()].sort()
  }

  /** Rows that the filter chooses, newest first, below a number. */
  *rows(filter: Filter = {}, below = Infinity): Generator<number> {
    const chosen = this.#chooser(filter)
    for (let row = this.#lowerBound(below) - 1; row >= 0; row--) if (chosen(row)) yield row
  }

  /**
   * Revisions with a row that the filter chooses, by their newest row, below the number of that: each as its rows,
   * newest first.
   */
  *revisions(filter: Filter = {}, below = Infinity): Generator<number[]> {
    const chosen = this.#chooser(filter)
    for (let row = this.#lowerBound(below) - 1; row >= 0; row--) {
      if (this.#last[this.#revision[row]!] !== row + 1) continue
      const rows = this.sameRevision(row)
      if (rows.some(chosen)) yield rows
    }
  }

  /** All rows of the revision of this one, newest first. */
  sameRevision(row: number): number[] {
    const rows: number[] = []
    for (let next = this.#last[this.#revision[row]!] ?? 0; next > 0; next = this.#previous[next - 1]!)
      rows.push(next - 1)
    return rows
  }

  /** How many tasks there are of each project, target and state: `add(project, target, state, count)`. */
  tally(add: (project: string, target: string, state: State, count: number) => void): void {
    const counts = new Map<string, number>()
    const projects = this.#revisions.all().map(text => text.slice(0, text.indexOf(':')))
    for (let row = 0; row < this.#count; row++) {
      const key = `${projects[this.#revision[row]! - 1]!}\0${this.#target[row]!}\0${this.#state[row]!}`
      counts.set(key, (counts.get(key) ?? 0) + 1)
    }
    for (const [key, count] of counts) {
      const [project, target, state] = key.split('\0')
      add(project!, this.#targets.text(Number(target)), STATES[Number(state)]!, count)
    }
  }

  #chooser(filter: Filter): (row: number) => boolean {
    const { project, ref, state, arch, host, text } = filter
    const tests: ((row: number) => boolean)[] = []
    const among = (column: Uint32Array | Uint16Array, texts: Texts, holds: (text: string) => boolean) => {
      const answers = new Map<number, boolean>()
      tests.push(row => {
        const id = column[row]!
        let answer = answers.get(id)
        if (answer === undefined) answers.set(id, (answer = holds(texts.text(id))))
        return answer
      })
    }
    if (project !== undefined) among(this.#revision, this.#revisions, key => key.startsWith(`${project}:`))
    if (text !== undefined)
      among(this.#revision, this.#revisions, key => key.slice(key.indexOf(':')).includes(text))
    if (arch !== undefined)
      among(this.#target, this.#targets, key => key === arch || key.startsWith(`${arch}:`))
    if (ref !== undefined) {
      const id = this.#refs.find(ref)
      tests.push(row => this.#ref[row] === id)
    }
    if (host !== undefined) {
      const id = this.#hosts.find(host)
      tests.push(row => this.#host[row] === id)
    }
    if (state !== undefined) {
      const code = STATES.indexOf(state)
      tests.push(row => this.#state[row] === code)
    }
    return row => tests.every(test => test(row))
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
    const revision = this.#revision[row]!
    this.#previous[row] = this.#last[revision] ?? 0
    this.#last[revision] = row + 1
  }

  #columns() {
    const texts = [this.#revision, this.#target, this.#ref, this.#host, this.#label] as const
    return [this.#num, ...texts, this.#state] as const
  }

  /** Keeps these rows, in this order. */
  #keep(rows: readonly number[]): void {
    for (const column of this.#columns()) {
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
    for (let row = 0; row < this.#count; row++) if (this.#state[row] === 0) this.#unread.count++
    this.changes++
  }

  #reserve(count: number): void {
    if (count <= this.#num.length) return
    const size = Math.max(count, Math.ceil(this.#num.length * 1.25)) + GROWTH
    const grown = <T extends Float64Array | Uint32Array | Uint16Array | Uint8Array>(
      column: T,
      make: new (size: number) => T,
    ) => {
      const larger = new make(size)
      larger.set(column)
      return larger
    }
    this.#num = grown(this.#num, Float64Array)
    this.#revision = grown(this.#revision, Uint32Array)
    this.#target = grown(this.#target, Uint16Array)
    this.#ref = grown(this.#ref, Uint32Array)
    this.#host = grown(this.#host, Uint32Array)
    this.#label = grown(this.#label, Uint32Array)
    this.#state = grown(this.#state, Uint8Array)
    this.#previous = grown(this.#previous, Uint32Array)
  }
}
