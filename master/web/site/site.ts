// The spool as the pages see it: an index of all tasks that follows the spool, views of single tasks read on
// demand, and a bell for readers who wait for changes. It only reads. Without visitors it does next to
// nothing: a change is noted, and read at the next request.

import { setTimeout as sleep } from 'node:timers/promises'
import { dirname, join } from 'node:path'

import { LRUCache } from 'lru-cache'

import type { CommitView } from '../../../lib/git/commit.ts'
import type { Forge } from '../../../lib/forge/forge.ts'
import { timeOf } from '../../../lib/system/durable.ts'
import { listIfThere, mustList } from '../../../lib/system/listing.ts'
import { warn } from '../../../lib/system/log.ts'
import type { Spool } from '../../../lib/spool/spool.ts'
import { numberOf, parseTaskName } from '../../../lib/spool/task-name.ts'
import type { Crew } from '../../../lib/view/takers.ts'
import { readView } from '../../../lib/view/view.ts'
import type { TaskView } from '../../../lib/view/view.ts'
import { watch } from '../../../lib/system/watch.ts'
import type { Watch } from '../../../lib/system/watch.ts'
import { whereIs } from '../../../lib/view/whereabouts.ts'
import { Commits } from './commits.ts'
import { Current } from './current.ts'
import { readFacts } from './facts.ts'
import type { JobFiles } from './job-files.ts'
import { SpoolFiles } from './spool-files.ts'
import { isOver } from './states.ts'
import { TaskIndex } from './task-index.ts'
import type { IndexEntry } from './entry.ts'

/** So many of the newest tasks are read before the first page is served. */
const FIRST = 200
/** Milliseconds of a slice of background reading, and of the pause after it: no request waits longer than that. */
const SLICE = 8
const REST = 12
/** Between two looks at the spool at least, in milliseconds; after a long one, ten times as long as it took. */
const LOOK_PAUSE_MS = 200
/** While jobs run and pages are open, they refresh after this many milliseconds: steps come and go. */
const PAGE_REFRESH_MS = 2000
/** Between two listings of what is archived, in milliseconds: only pruning and what was never seen in `cur` needs it. */
const OLD_EVERY = 60_000

export class Site {
  readonly spool: Spool
  readonly index = new TaskIndex()
  /** When this began, in milliseconds since 1970. */
  readonly since = Date.now()
  /** Milliseconds after which a taker without a beat is taken for gone. */
  readonly silentAfter: number
  /** The files of its jobs. */
  readonly files: JobFiles
  /** What runs its jobs. */
  readonly crew: Crew
  readonly #views = new LRUCache<string, TaskView>({ max: 600 })
  readonly #commits: Commits
  /** The forge that holds the code of a project. */
  readonly forgeOf: (project: string) => Forge | undefined
  readonly #listeners = new Set<() => void>()
  readonly #current: Current
  /** Numbers of what is not over. */
  readonly #active = new Set<number>()
  #stale = true
  #scanned = 0
  #took = 0
  #old = { at: 0, time: 0 as number | null }
  #watch: Watch | undefined
  #closed = false

  /**
   * `repositoryOf` says where the code of a project is, and is asked seldom; `forgeOf`, on which forge it is; `files` are
   * those of its jobs, by default what is in the spool.
   */
  constructor(
    spool: Spool,
    silentAfter: number,
    repositoryOf: (project: string) => string | undefined,
    forgeOf: (project: string) => Forge | undefined = () => undefined,
    files: JobFiles = new SpoolFiles(spool),
    crew: Crew = 'taker',
  ) {
    this.spool = spool
    this.silentAfter = silentAfter
    this.#commits = new Commits(repositoryOf)
    this.#current = new Current(spool)
    this.forgeOf = forgeOf
    this.files = files
    this.crew = crew
  }

  /** Lists everything and reads the newest; then goes on in the background until `close`. */
  async open(): Promise<void> {
    this.#scanOld()
    this.#scan()
    for (let i = 0; i < FIRST; i++) if (!this.#readNext()) break
    // There may be very many finished tasks, and each was seen before it finished.
    const { tasks, jobs } = this.spool
    this.#watch = await watch([tasks.cur, jobs.cur])
    void this.#follow(this.#watch)
    void this.#fill()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#watch?.ring()
    this.#listeners.clear()
    await this.#watch?.close()
  }

  /** True if there is, or was, anything of this project. */
  knows(project: string): boolean {
    const places = [this.spool.revs, join(this.spool.root, 'held')]
    return (
      this.index.projects().includes(project) || places.some(place => listIfThere(place).includes(project))
    )
  }

  /** Brings the index up to date, if the last look was not a moment ago. */
  refresh(): void {
    if (this.#stale && performance.now() - this.#scanned > this.#pause()) this.#scan()
  }

  /** Calls back, about once a second at most, when a page may look different. Returns a function that ends this. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    this.#watch?.ring()
    return () => this.#listeners.delete(listener)
  }

  /**
   * Returns the view of a task, or undefined if it is gone. Finished ones are cached; a retry that comes
   * later is seen only with `anew`.
   */
  view({ name, num }: Pick<IndexEntry, 'name' | 'num'>, anew = false): TaskView | undefined {
    const kept = anew ? undefined : this.#views.get(name)
    if (kept) return kept
    const view = readView(this.#current.whereIs(name, num)) ?? this.#lookFor(name)
    if (view?.state === 'over' && !this.#active.has(num)) this.#views.set(name, view)
    return view
  }

  /** The view of a task by its number, read anew; undefined if there is none. */
  find(num: number): TaskView | undefined {
    const row = this.index.rowOf(num)
    return row === undefined ? undefined : this.view(this.index.entry(row), true)
  }

  /** Where its job directory is now; undefined if it has none. */
  jobOf({ name }: Pick<TaskView, 'name'>): string | undefined {
    return whereIs(this.spool, name)?.jobAt
  }

  /** Reads the commits of these tasks, by revision, as far as they are there. */
  commits(views: readonly TaskView[]): Promise<ReadonlyMap<string, CommitView>> {
    return this.#commits.of(views)
  }

  /** True if a task has its verdict, and nothing will be made of it any more without a person. */
  isSettled({ num, state, job }: TaskView): boolean {
    // Nobody archives the task of a lost job whose retry is still to come.
    return state === 'over' && !(job?.verdict === 'lost' && this.#current.has(num))
  }

  /** Says that we have just changed something ourselves: the next page shows it. */
  changed(): void {
    this.#scan()
    this.#watch?.ring()
  }

  /** Queued and running tasks, by number. */
  active(): IndexEntry[] {
    return [...this.#active]
      .sort((a, b) => a - b)
      .map(num => this.index.rowOf(num))
      .filter(row => row !== undefined)
      .map(row => this.index.entry(row))
  }

  /** A text that a program wrote, without saying where the spool is. */
  withoutPaths(text: string): string {
    const { root, tasks, jobs } = this.spool
    return [
      [dirname(tasks.cur), '$TASKS'],
      [dirname(jobs.cur), '$JOBS'],
      [root, '$SPOOL'],
    ].reduce((text, [path, name]) => text.replaceAll(path!, name!), text)
  }

  // It has moved since we listed.
  #lookFor(name: string): TaskView | undefined {
    const where = whereIs(this.spool, name)
    return where && readView(where)
  }

  #pause(): number {
    return Math.max(LOOK_PAUSE_MS, 10 * this.#took)
  }

  async #follow(watch: Watch): Promise<void> {
    while (!this.#closed) {
      let timer: NodeJS.Timeout | undefined
      if (this.#listeners.size > 0 && this.#active.size > 0)
        timer = setTimeout(() => watch.ring(), PAGE_REFRESH_MS)
      await watch.next()
      clearTimeout(timer)
      this.#stale = true
      if (this.#listeners.size === 0) continue
      try {
        this.#scan()
      } catch (error) {
        warn('read', this.spool.root, error)
      }
      for (const listener of this.#listeners) listener()
      await sleep(this.#pause(), undefined, { ref: false })
    }
  }

  async #fill(): Promise<void> {
    while (!this.#closed) {
      const end = performance.now() + SLICE
      let more = true
      try {
        while (more && performance.now() < end) more = this.#readNext()
      } catch (error) {
        warn('read', this.spool.root, error)
        more = false
      }
      await sleep(more ? REST : 1000, undefined, { ref: false })
    }
  }

  /** Reads the newest task that is not read yet; false if there is none. */
  #readNext(): boolean {
    const row = this.index.nextUnread()
    if (row === undefined) return false
    this.#read(row)
    return true
  }

  /** Reads what the index keeps of a task. */
  #read(row: number): void {
    const { name, num } = this.index.entry(row)
    let facts = readFacts(this.#current.whereIs(name, num), this.#current.has(num))
    if (facts.state === 'gone') {
      const where = whereIs(this.spool, name)
      if (where) facts = readFacts(where, where.taskAt?.startsWith(this.spool.tasks.cur) === true)
    }
    this.index.set(row, facts)
    if (isOver(facts.state)) this.#active.delete(num)
    else this.#active.add(num)
  }

  /** Looks at what is current; then at what is over, if it is time. */
  #scan(): void {
    const started = performance.now()
    this.#stale = false
    const fresh = this.#current.list()
    this.index.add(fresh)
    for (const { num } of fresh.slice(-FIRST)) this.#active.add(num)
    for (const num of this.#active) {
      const row = this.index.rowOf(num)
      if (row === undefined) this.#active.delete(num)
      // A task that waited when it was read, and that nobody has claimed, waits.
      else if (this.index.state(row) !== 'waiting' || !this.#current.isUnclaimed(num)) this.#read(row)
    }
    if (performance.now() - this.#old.at > OLD_EVERY) this.#scanOld()
    this.#scanned = performance.now()
    this.#took = this.#scanned - started
  }

  /** Lists what is over, and forgets what is not there any more. */
  #scanOld(): void {
    const time = timeOf(this.spool.tasks.old)
    const known = this.#old.time === time
    this.#old = { at: performance.now(), time }
    if (known) return
    const names = mustList(this.spool.tasks.old)
    const nums = new Set<number>()
    const unknown: { num: number; name: string }[] = []
    for (const name of names) {
      const num = numberOf(name)
      nums.add(num)
      if (this.index.rowOf(num) === undefined) unknown.push({ num, name })
    }
    unknown.sort((a, b) => a.num - b.num)
    // A part at a time, because the parts of so many names would fill the memory.
    for (let at = 0; at < unknown.length; at += 1000) {
      const part = unknown.slice(at, at + 1000).map(({ name }) => parseTaskName(name))
      this.index.add(part.filter(task => task !== undefined))
    }
    for (const num of this.#current.nums()) nums.add(num)
    this.index.retain(nums)
  }
}
