// The files of a farm's jobs for the pages: of what is over, in the store; of what runs, the output that its worker sends while
// somebody looks. Nothing is copied: a page reads the part that it shows.

import { LRUCache } from 'lru-cache'

import type { JobFile } from '../../lib/farm/protocol.ts'
import { Bell } from '../../lib/system/bell.ts'
import type { Watch } from '../../lib/system/watch.ts'
import type { Bytes } from '../../lib/view/bytes.ts'
import type { TaskView } from '../../lib/view/view.ts'
import type { Artifact, JobFiles } from '../web/site/job-files.ts'
import { keyOf } from './blobs.ts'
import type { Blobs } from './blobs.ts'
import type { Database } from './database.ts'
import { liveBytes } from './live-bytes.ts'

/** For how long a worker sends its output after somebody has looked, in seconds; and when that is prolonged. */
const WATCHED = 30
const PROLONG = 20
/** A bell that nothing rings wakes this often, in milliseconds. */
const BELL_MS = 30_000

interface Stored {
  /** Null: no worker ever had it. */
  readonly attempt: string | null
  readonly sizes: ReadonlyMap<string, number>
}

export class FarmFiles implements JobFiles {
  readonly #db: Database
  readonly #blobs: Blobs
  /** Results never change; lists of their files may be long. */
  readonly #stored = new LRUCache<number, Stored>({ max: 200 })
  /** By attempt, who waits for its output. */
  readonly #bells = new Map<string, Set<() => void>>()

  constructor(db: Database, blobs: Blobs) {
    this.#db = db
    this.#blobs = blobs
  }

  async open({ num }: TaskView, path: string): Promise<Bytes | undefined> {
    const stored = await this.#storedOf(num)
    if (!stored) return this.#openLive(num, path)
    const { attempt, sizes } = stored
    return attempt !== null && sizes.has(path) ? this.#blobs.open(keyOf(num, attempt, path)) : undefined
  }

  async #openLive(num: number, path: string): Promise<Bytes | undefined> {
    const [, step, stream] = /^steps\/([^/]+)\/std(out|err)\.txt$/.exec(path) ?? []
    const attempt = step === undefined ? undefined : await this.#look(num)
    return attempt === undefined ? undefined : liveBytes(this.#db, attempt, step!, stream!)
  }

  /** Says that somebody looks at what runs, and returns its attempt. */
  async #look(num: number): Promise<string | undefined> {
    const db = this.#db
    const [run] = await db<{ attempt: string; due: boolean }[]>`
      select attempt, coalesce(watched < now() + ${PROLONG} * interval '1 second', true) as due from run where job = ${num}`
    if (run?.due) {
      await db`
        with watched as (update run set watched = now() + ${WATCHED} * interval '1 second'
          where attempt = ${run.attempt} returning attempt)
        select pg_notify('farm_word', attempt::text) from watched`
    }
    return run?.attempt
  }

  async #storedOf(num: number): Promise<Stored | undefined> {
    const kept = this.#stored.get(num)
    if (kept) return kept
    const [row] = await this.#db<{ attempt: string | null; files: JobFile[] }[]>`
      select attempt, files from result where num = ${num}`
    if (!row) return undefined
    const stored = {
      attempt: row.attempt,
      sizes: new Map(row.files.map(({ path, size }) => [path, size] as const)),
    }
    this.#stored.set(num, stored)
    return stored
  }

  async list({ num }: TaskView, path: string): Promise<readonly Artifact[] | undefined> {
    const stored = await this.#storedOf(num)
    const prefix = path === '' ? 'artifacts/' : `artifacts/${path}/`
    const entries = new Map<string, number | null>()
    for (const [file, size] of stored?.sizes ?? []) {
      if (!file.startsWith(prefix)) continue
      const [name = '', ...below] = file.slice(prefix.length).split('/')
      entries.set(name, below.length > 0 ? null : size)
    }
    if (entries.size === 0) return undefined
    const rank = ({ size }: Artifact) => (size === null ? 0 : 1)
    return [...entries]
      .map(([name, size]) => ({ name, size }))
      .sort((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1))
  }

  async watch({ num }: TaskView): Promise<Watch> {
    const attempt = await this.#look(num)
    const bell = new Bell()
    const ring = () => void bell.ring()
    const bells = this.#bells.get(attempt ?? '') ?? new Set()
    if (attempt !== undefined) this.#bells.set(attempt, bells.add(ring))
    return {
      ring,
      next: () => bell.next(BELL_MS),
      close: () => {
        bells.delete(ring)
        if (bells.size === 0 && attempt !== undefined) this.#bells.delete(attempt)
        return Promise.resolve()
      },
    }
  }

  /** There is more output of this attempt. */
  ring(attempt: string): void {
    for (const ring of this.#bells.get(attempt) ?? []) ring()
  }
}
