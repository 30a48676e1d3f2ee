// The spool as the pages see it: an index of all tasks that follows the spool, views of single tasks read on
// demand, and a bell for readers who wait for changes. It only reads. Without visitors it does next to
// nothing: a change is noted, and read at the next request.

import { setTimeout as sleep } from 'node:timers/promises'
import { dirname, join } from 'node:path'

import { LRUCache } from 'lru-cache'

import { parsePrivateName } from '../../../lib/spool/claim.ts'
import { readCommits } from '../../../lib/git/commit.ts'
import type { CommitView } from '../../../lib/git/commit.ts'
import type { Forge } from '../../../lib/forge/forge.ts'
import { readIfThere, timeOf } from '../../../lib/system/durable.ts'
import { listIfThere, mustList } from '../../../lib/system/listing.ts'
import { readOwner, VERDICTS } from '../../../lib/spool/job.ts'
import { warn } from '../../../lib/system/log.ts'
import { paused } from '../../../lib/spool/spool.ts'
import type { Spool } from '../../../lib/spool/spool.ts'
import { readTakers } from '../../../lib/view/takers.ts'
import type { TakerView } from '../../../lib/view/takers.ts'
import { numberOf, parseTaskName } from '../../../lib/spool/task-name.ts'
import type { TaskName } from '../../../lib/spool/task-name.ts'
import { readView } from '../../../lib/view/view.ts'
import type { TaskView } from '../../../lib/view/view.ts'
import { watch } from '../../../lib/system/watch.ts'
import type { Watch } from '../../../lib/system/watch.ts'
import { whereIs } from '../../../lib/view/whereabouts.ts'
import type { Whereabouts } from '../../../lib/view/whereabouts.ts'
import { placesInQueue, whyWaiting } from '../../../lib/view/why-waiting.ts'
import type { WaitView } from '../../../lib/view/why-waiting.ts'
import { isOver, TaskIndex } from './task-index.ts'
import type { IndexEntry, State } from './task-index.ts'

/** So many of the newest tasks are read before the first page is served. */
const FIRST = 200
/** Milliseconds of a slice of background reading, and of the pause after it: no request waits longer than that. */
const SLICE = 8
const REST = 12
/** Between two looks at the spool at least, in milliseconds; after a long one, ten times as long as it took. */
const PAUSE = 200
/** While jobs run and pages are open, they refresh after this many milliseconds: steps come and go. */
const TICK = 2000
/** Between two listings of what is archived, in milliseconds: only pruning and what was never seen in `cur` needs it. */
const OLD_EVERY = 60_000

/** The number of earlier successes that predict a duration, and how far back to look for them. */
const SAMPLE = 5
/** Of so many waiting tasks it is found out why they wait. */
const REASONS = 100

export interface Waiting {
  readonly view: TaskView
  readonly wait: WaitView
}

/** The current work. */
export interface CurrentWork {
  readonly running: readonly { readonly view: TaskView; readonly expected: number | null }[]
  /** The first of them. */
  readonly waiting: readonly Waiting[]
  /** How many more wait. */
  readonly more: number
  readonly takers: readonly TakerView[]
  readonly paused: readonly string[]
}

export class Site {
  readonly spool: Spool
  readonly index = new TaskIndex()
  /** When this began, in milliseconds since 1970. */
  readonly since = Date.now()
  readonly #silentAfter: number
  readonly #views = new LRUCache<string, TaskView>({ max: 600 })
  readonly #commits = new LRUCache<string, { readonly commit: CommitView | null }>({ max: 1000 })
  readonly #repositoryOf: (project: string) => string | undefined
  /** The forge that holds the code of a project. */
  readonly forgeOf: (project: string) => Forge | undefined
  readonly #listeners = new Set<() => void>()
  /** As listed last: tasks in `tasks/cur` by number, names in `jobs/cur`, and names claimed but not shown yet. */
  #current = new Map<number, TaskName>()
  #shown = new Set<string>()
  #claimed = new Map<string, string>()
  /** Numbers of what is not over. */
  readonly #active = new Set<number>()
  #stale = true
  #scanned = 0
  #took = 0
  #old = { at: 0, time: 0 as number | null }
  #watch: Watch | undefined
  #closed = false

  /**
   * `silentAfter`: milliseconds after which a taker without a beat is taken for gone. `repositoryOf` says where the code
   * of a project is, and is asked seldom; `forgeOf`, on which forge it is.
   */
  constructor(
    spool: Spool,
    silentAfter: number,
    repositoryOf: (project: string) => string | undefined,
    forgeOf: (project: string) => Forge | undefined = () => undefined,
  ) {
    this.spool = spool
    this.#silentAfter = silentAfter
    this.#repositoryOf = repositoryOf
    this.forgeOf = forgeOf
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
    return this.index.projects().includes(project) || listIfThere(this.spool.revs).includes(project)
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
    const view = readView(this.#where(name, num)) ?? this.#lookFor(name)
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

  /** Running and queued tasks, of one project or of all, by number. */
  board(project?: string, most = REASONS): CurrentWork {
    const active = this.active()
    const running = this.#viewsOf(active.filter(entry => entry.state === 'running'))
    const takers = readTakers(this.spool, running, this.#silentAfter)
    const stopped = paused(this.spool)
    const all = active.filter(({ state }) => state === 'waiting').map(queued)
    const places = placesInQueue(all)
    const queue = all.filter(task => project === undefined || task.project === project)
    const waiting = this.#viewsOf(queue.slice(0, most)).map(view => ({
      view,
      wait: whyWaiting(view, places, takers, stopped),
    }))
    return {
      running: running
        .filter(view => project === undefined || view.project === project)
        .map(view => ({ view, expected: this.usual(view) })),
      waiting,
      more: queue.length - waiting.length,
      takers,
      paused: [...stopped].sort(),
    }
  }

  /** How many seconds a success of this project and architecture took lately; null if there was none. */
  usual({ project, arch }: Pick<TaskView, 'project' | 'arch'>): number | null {
    const spans: number[] = []
    for (const row of this.index.rows({ project, arch, state: 'success' })) {
      const seconds = this.view(this.index.entry(row))?.job?.seconds
      if (seconds != null) spans.push(seconds)
      if (spans.length === SAMPLE) break
    }
    return spans.sort((a, b) => a - b)[spans.length >> 1] ?? null
  }

  /** Reads the commits of these tasks from the code repositories, by revision, as far as they are there. */
  async commits(views: readonly TaskView[]): Promise<ReadonlyMap<string, CommitView>> {
    const projects = new Set(views.map(({ project }) => project))
    for (const project of projects) {
      const missing = views
        .filter(view => view.project === project)
        .map(({ revision }) => revision)
        .filter(revision => revision !== null)
        .filter(revision => !this.#commits.has(revision))
      const repository = missing.length > 0 ? this.#repositoryOf(project) : undefined
      if (repository === undefined) continue
      const found = await readCommits(repository, missing)
      for (const revision of missing) this.#commits.set(revision, { commit: found.get(revision) ?? null })
    }
    const pairs = views.map(
      ({ revision }) => [revision ?? '', this.#commits.get(revision ?? '')?.commit] as const,
    )
    return new Map(pairs.filter((pair): pair is readonly [string, CommitView] => pair[1] != null))
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

  #viewsOf(entries: readonly Pick<IndexEntry, 'name' | 'num'>[]): TaskView[] {
    return entries.map(entry => this.view(entry)).filter(view => view !== undefined)
  }

  #where(name: string, num: number): Whereabouts {
    const task = parseTaskName(name)!
    const { tasks, jobs } = this.spool
    const current = this.#current.has(num)
    const claimed = this.#claimed.get(name)
    const taskAt = join(current ? tasks.cur : tasks.old, name)
    if (this.#shown.has(name)) return { task, taskAt, jobAt: join(jobs.cur, name) }
    if (claimed !== undefined) return { task, taskAt, jobAt: join(jobs.tmp, claimed) }
    return current ? { task, taskAt } : { task, taskAt, jobAt: join(jobs.old, name) }
  }

  // It has moved since we listed.
  #lookFor(name: string): TaskView | undefined {
    const where = whereIs(this.spool, name)
    return where && readView(where)
  }

  #pause(): number {
    return Math.max(PAUSE, 10 * this.#took)
  }

  async #follow(watch: Watch): Promise<void> {
    while (!this.#closed) {
      let timer: NodeJS.Timeout | undefined
      if (this.#listeners.size > 0 && this.#active.size > 0) timer = setTimeout(() => watch.ring(), TICK)
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
    let where = this.#where(name, num)
    let state = stateOf(where, this.#current.has(num))
    if (state === 'gone') {
      where = whereIs(this.spool, name) ?? where
      state = stateOf(where, where.taskAt?.startsWith(this.spool.tasks.cur) === true)
    }
    const ref = where.taskAt === undefined ? undefined : readIfThere(join(where.taskAt, 'ref.txt'))
    const host =
      where.jobAt === undefined
        ? undefined
        : (readOwner(where.jobAt)?.host ?? readIfThere(join(where.jobAt, 'host.txt')))
    const label = where.taskAt === undefined ? undefined : readIfThere(join(where.taskAt, 'label.txt'))
    this.index.set(row, state, ref?.trim() ?? '', host?.trim() ?? '', label?.trim() ?? '')
    if (isOver(state)) this.#active.delete(num)
    else this.#active.add(num)
  }

  /** Looks at what is current; then at what is over, if it is time. */
  #scan(): void {
    const started = performance.now()
    this.#stale = false
    const { tasks, jobs } = this.spool
    const fresh: TaskName[] = []
    const current = new Map<number, TaskName>()
    for (const name of mustList(tasks.cur)) {
      const num = numberOf(name)
      const task = this.#current.get(num)
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
    this.#current = current
    this.#claimed = new Map(claimed)
    this.#shown = shown
    this.index.add(fresh)
    for (const { num } of fresh.slice(-FIRST)) this.#active.add(num)
    for (const num of this.#active) {
      const row = this.index.rowOf(num)
      if (row === undefined) this.#active.delete(num)
      else if (!this.#stillWaits(row, num)) this.#read(row)
    }
    if (performance.now() - this.#old.at > OLD_EVERY) this.#scanOld()
    this.#scanned = performance.now()
    this.#took = this.#scanned - started
  }

  /** True if it waited when it was read and nothing that was listed says otherwise. */
  #stillWaits(row: number, num: number): boolean {
    if (this.index.state(row) !== 'waiting') return false
    const task = this.#current.get(num)
    return task !== undefined && !this.#shown.has(task.name) && !this.#claimed.has(task.name)
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
    for (const num of this.#current.keys()) nums.add(num)
    for (const name of this.#shown) nums.add(numberOf(name))
    this.index.retain(nums)
  }
}

/** What tells its place in the queue, without reading it. */
function queued({ name, num, project, target }: IndexEntry) {
  const [arch = '', host = null] = target.split(':')
  return { name, num, project, arch, host, state: 'waiting' as const, cancelling: false }
}

function stateOf({ jobAt }: Whereabouts, current: boolean): State {
  const word = jobAt === undefined ? undefined : readIfThere(join(jobAt, 'result.txt'))?.trim()
  const verdict = VERDICTS.find(verdict => verdict === word)
  if (verdict) return verdict
  if (jobAt === undefined) return current ? 'waiting' : 'gone'
  return listIfThere(jobAt).length > 0 ? 'running' : current ? 'waiting' : 'gone'
}
