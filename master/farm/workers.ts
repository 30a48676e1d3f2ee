// A farmer's side of workers: it writes their signs of life, holds their questions for work open, and collects those
// that are gone. All of it is in the database; what is here is only who waits for an answer of this farmer.

import { setTimeout as sleep } from 'node:timers/promises'

import { warnOnce } from '../../lib/system/log.ts'
import type { Alive, Registration, WordToWorker, Work } from '../../lib/farm/protocol.ts'
import { POLL, SILENCE } from '../../lib/farm/protocol.ts'
import type { Database } from './database.ts'

/** Between two rounds of signs of life, in milliseconds. */
const ROUND = 400
/** Between two looks for workers that are gone, in milliseconds. */
const COLLECT = 500

/** How long the settings of a project may be away while they are replaced, in milliseconds. */
const REPLACED = 200

/** A farmer that ends, or whose database is away: its log says so once, and not for each of hundreds of workers. */
export class NotNow extends Error {}

interface Sign {
  readonly alive: Alive
  readonly answer: (word: WordToWorker | 'gone' | Error) => void
}

/** Wakes who waits: there may be news, or there are none. */
type Waiting = Map<string, (news: boolean) => void>

export class Workers {
  readonly #db: Database
  readonly #cloneUrl: (project: string) => string | undefined
  /** Who waits for work, by worker; and for a word, by attempt. */
  readonly #waiting: Waiting = new Map()
  readonly #listening: Waiting = new Map()
  #signs: Sign[] = []
  #closed = false
  /** When a round of signs was last written, on this process's own clock. */
  #written = 0
  #collected = 0

  /** `cloneUrl`: where workers fetch a project from; undefined if there is no such project. */
  constructor(db: Database, cloneUrl: (project: string) => string | undefined) {
    this.#db = db
    this.#cloneUrl = cloneUrl
  }

  /** Listens, and works until closed. */
  async open(): Promise<void> {
    // Notices during a lost connection are not repeated: then everybody who waits looks.
    for (const [channel, waiting] of [
      ['farm_run', this.#waiting],
      ['farm_word', this.#listening],
    ] as const) {
      const wakeAll = () => waiting.forEach(wake => wake(true))
      await this.#db.listen(channel, id => waiting.get(id)?.(true), wakeAll)
    }
    void this.#rounds()
    void this.#collect()
  }

  close(): void {
    this.#closed = true
    for (const waiting of [this.#waiting, this.#listening]) waiting.forEach(wake => wake(false))
    for (const { answer } of this.#signs.splice(0)) answer(new NotNow('the farmer is ending'))
  }

  async register({ host, slot, arch, labels, version }: Registration): Promise<string> {
    const gives = [arch, ...new Set([host, ...labels])].map((name, i) => (i === 0 ? name : `${arch}:${name}`))
    const [row] = await this.#db<{ id: string }[]>`
      insert into worker (host, slot, arch, gives, version)
      values (${host}, ${slot}, ${arch}, ${gives}, ${version}) returning id`
    return row!.id
  }

  /** The job of a worker; undefined if there is none within `POLL`, `gone` if there is no such worker. */
  work(worker: string, signal: AbortSignal): Promise<Work | 'gone' | undefined> {
    return held(this.#waiting, worker, signal, () => this.#look(worker))
  }

  /** What the worker of an attempt should hear, when that is news; undefined if there are none within `POLL`. */
  async word(
    attempt: string,
    watched: boolean,
    signal: AbortSignal,
  ): Promise<WordToWorker | 'gone' | undefined> {
    let known: boolean | undefined = watched
    return held(this.#listening, attempt, signal, async () => {
      const [run] = await this.#words([attempt])
      if (!run) return 'gone'
      const isNews = run.cancelled || run.watched !== known
      // Whoever looks again while we take it for watched: the worker may not.
      known = undefined
      return isNews ? wordOf(run) : undefined
    })
  }

  async #look(worker: string): Promise<Work | 'gone' | undefined> {
    const [row] = await this.#db<(Omit<Work, 'clone' | 'attempt'> & { attempt: string | null })[]>`
      select attempt, num, project, job.version, ref, revision, label, job.arch, job.host, directory, command, params, limits
      from worker left join run on run.worker = worker.id left join job on job.num = run.job
      where worker.id = ${worker}`
    if (!row) return 'gone'
    const { attempt, project } = row
    if (attempt === null) return undefined
    const clone = this.#cloneUrl(project)
    if (clone !== undefined) return { ...row, attempt, clone }
    await sleep(REPLACED)
    if (this.#cloneUrl(project) === undefined) await this.#endForeign(attempt, project)
    return this.#look(worker)
  }

  /** Ends a job whose project is not ours any more. */
  async #endForeign(attempt: string, project: string): Promise<void> {
    const why = `the farmer has no project '${project}' any more`
    await this.#db`select from finish_all(${this.#db.json([{ attempt, verdict: 'error', why }])})`
  }

  /** Writes a sign of life with those of all others, and returns what the worker should hear. */
  alive(alive: Alive): Promise<WordToWorker | 'gone'> {
    return new Promise((done, failed) => {
      this.#signs.push({ alive, answer: word => (word instanceof Error ? failed(word) : done(word)) })
    })
  }

  async #rounds(): Promise<void> {
    while (!this.#closed) {
      const signs = this.#signs.splice(0)
      try {
        if (signs.length > 0) await this.#write(signs)
        this.#written = performance.now()
      } catch (error) {
        for (const { answer } of signs) answer(new NotNow('the signs of life cannot be written'))
        warnOnce('write', 'the signs of life', error)
      }
      await sleep(ROUND, undefined, { ref: false })
    }
  }

  /** One statement for the lives of all, and one for what their jobs should hear. */
  async #write(signs: readonly Sign[]): Promise<void> {
    const db = this.#db
    const ids = [...new Set(signs.map(({ alive }) => alive.worker))].sort()
    const attempts = signs.map(({ alive }) => alive.attempt).filter(attempt => attempt !== undefined)
    for (const { alive } of signs) {
      if (alive.steps === undefined || alive.attempt === undefined) continue
      await db`update run set steps = ${db.json(alive.steps as never)}, about = ${db.json((alive.about ?? null) as never)} where attempt = ${alive.attempt} and worker = ${alive.worker}`
    }
    const living = await db<{ id: string }[]>`
      with living as (select id from worker where id = any(${ids}::uuid[]) order by id for update)
      update worker set seen = clock_timestamp() from living where worker.id = living.id returning worker.id`
    const known = new Set(living.map(({ id }) => id))
    const runs = attempts.length === 0 ? [] : await this.#words(attempts)
    const byAttempt = new Map(runs.map(run => [run.attempt, run]))
    for (const { alive, answer } of signs) {
      const run = alive.attempt === undefined ? undefined : byAttempt.get(alive.attempt)
      if (!known.has(alive.worker)) answer('gone')
      else if (alive.attempt === undefined) answer({})
      // Its job vanished with its change: no other has it.
      else if (run === undefined) answer({ word: 'cancelled' })
      else if (run.worker !== alive.worker) answer({ word: 'lost' })
      else answer(wordOf(run))
    }
  }

  #words(attempts: readonly string[]): Promise<RunWords[]> {
    return this.#db<RunWords[]>`
      select attempt, worker, cancelled is not null as cancelled, coalesce(watched > now(), false) as watched
      from run join job on job.num = run.job where attempt = any(${attempts as string[]}::uuid[])`
  }

  /**
   * Collects workers that are silent. A farmer that was itself held up has not written the signs it was sent: it collects
   * nobody until a whole round has passed since.
   */
  async #collect(): Promise<void> {
    let last = performance.now()
    let heldUntil = 0
    for (;;) {
      await sleep(COLLECT, undefined, { ref: false })
      if (this.#closed) return
      const now = performance.now()
      if (now - last > COLLECT + 1000) heldUntil = now + SILENCE
      // Nor one that cannot write: it may be that nobody can.
      if (now - this.#written > 1000) heldUntil = now + SILENCE
      last = now
      if (now < heldUntil) continue
      try {
        this.#collected += await this.collect()
      } catch (error) {
        heldUntil = performance.now() + SILENCE
        warnOnce('collect', 'workers that are gone', error)
      }
      last = performance.now()
    }
  }

  async collect(): Promise<number> {
    const [row] = await this.#db<
      { n: number }[]
    >`select collect(${SILENCE / 1000} * interval '1 second') as n`
    return row!.n
  }

  /** How many workers this farmer has collected. */
  get collected(): number {
    return this.#collected
  }

  get waiting(): number {
    return this.#waiting.size
  }
}

interface RunWords {
  readonly attempt: string
  readonly worker: string
  readonly cancelled: boolean
  readonly watched: boolean
}

const wordOf = ({ cancelled, watched }: RunWords): WordToWorker => ({
  ...(cancelled ? { word: 'cancelled' as const } : {}),
  watched,
})

/** What `look` finds, at once or when there is news of `id`; undefined if there is nothing within `POLL`. */
async function held<T>(
  waiting: Waiting,
  id: string,
  signal: AbortSignal,
  look: () => Promise<T | undefined>,
): Promise<T | undefined> {
  const end = performance.now() + POLL
  for (;;) {
    // A second question takes the place of the first.
    waiting.get(id)?.(false)
    let wake: (news: boolean) => void = () => undefined
    const woken = new Promise<boolean>(done => (wake = done))
    waiting.set(id, wake)
    const timer = setTimeout(() => wake(false), Math.max(0, end - performance.now()))
    const onAbort = () => wake(false)
    signal.addEventListener('abort', onAbort)
    try {
      const found = await look()
      if (found !== undefined) return found
      if (!(await woken)) return undefined
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
      if (waiting.get(id) === wake) waiting.delete(id)
    }
  }
}
