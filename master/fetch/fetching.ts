// The work for one project: deliveries become events, one after the other; now and then the forge is looked at; what is
// superseded is cancelled.

import { rmdirSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'

import { reasonOf, tolerating } from '../../lib/base/errno.ts'
import { EXIT, Fatal } from '../../lib/base/exit.ts'
import { TIMER_MAX_MS } from '../../lib/base/timer.ts'
import { ForgeError } from '../../lib/forge/client.ts'
import { BadDelivery } from '../../lib/forge/forge.ts'
import { makeInbox, storeDeliveries } from '../receive/inbox.ts'
import { doneDeliveries, removeDeliveries } from '../../lib/spool/deliveries.ts'
import type { Spool } from '../../lib/spool/spool.ts'
import { token } from '../../lib/system/durable.ts'
import { listIfThere } from '../../lib/system/listing.ts'
import { say, Trouble, warn } from '../../lib/system/log.ts'
import { formatLook, parseDelivery } from '../receive/delivery.ts'
import type { Look } from '../receive/delivery.ts'
import { decideChange, decidePush } from './decide.ts'
import type { Decided } from './decide.ts'
import { forgetOld } from './forget.ts'
import { Mirror } from './mirror.ts'
import type { ForgeProject } from './project.ts'
import * as records from './record.ts'
import { readChanges, readTips, writeChange, writeTips } from './state.ts'
import type { ChangeState } from './state.ts'
import { Superseder } from './supersede.ts'
import { wishesIn } from './wishes.ts'

/** The pause after a failure: twice as long each time, from the first to the last, in milliseconds. */
const FETCH_PAUSE_MS = { first: 5000, last: 300_000 }

/** How often to look for what is older than it need be, in milliseconds. */
const TIDY_EVERY = 3600_000

/** After so many failures in a row the other deliveries are left for the next round. */
const FAILURES_IN_A_ROW = 3

/** True of what the forge would say again, however often it is asked. */
const isRefused = (error: unknown): boolean =>
  error instanceof ForgeError ? !error.later : error instanceof Fatal && error.exitCode === EXIT.lasting

export class Fetching {
  readonly project: ForgeProject
  readonly #spool: Spool
  readonly #mirror: Mirror
  readonly #superseder: Superseder
  #failures = 0
  #code: number = EXIT.done
  /** When to try again, and when to look next, by the monotonic clock. */
  #retryAt = 0
  #lookAt = 0
  #tidied = -Infinity
  /** The deliveries that were there at the start of the last round. */
  #seen = new Set<string>()
  /** The records that failed, the one first that was not tried for the longest time. */
  readonly #failed = new Set<string>()
  readonly #trouble = new Trouble()

  readonly #now: () => number

  /** `now` is a monotonic clock, in milliseconds. */
  constructor(spool: Spool, project: ForgeProject, signal: AbortSignal, now = () => performance.now()) {
    this.#now = now
    this.#spool = spool
    this.project = project
    this.#mirror = new Mirror(project.mirror, project.forge, project.env, signal)
    this.#superseder = new Superseder(spool, project)
    if (project.poll === Infinity) this.#lookAt = Infinity
    makeInbox(project.inbox)
  }

  /**
   * Does what is to be done now; with `look` it looks at the forge in any case. Returns in how many milliseconds to come again at
   * the latest, which a timer can wait.
   */
  async round(look = false): Promise<number> {
    try {
      // A forge that delivers is there, whatever failed before.
      if (this.#isToldMore() || this.#now() >= this.#retryAt) {
        await this.#work(look)
        this.#trouble.over(`${this.project.name}: the forge answers again`)
        this.#failures = 0
        this.#retryAt = 0
        this.#code = EXIT.done
      }
    } catch (error) {
      this.#fail(error)
    }
    try {
      this.#superseder.look()
      this.#tidy()
    } catch (error) {
      warn('look through', this.#spool.root, error)
      this.#code = EXIT.temporary
    }
    const now = this.#now()
    return Math.min(TIMER_MAX_MS, Math.max(0, (this.#retryAt > now ? this.#retryAt : this.#lookAt) - now))
  }

  /** True if there is a delivery that was not there when this was asked last. */
  #isToldMore(): boolean {
    const ids = new Set(listIfThere(this.project.inbox.fresh))
    const isMore = [...ids].some(id => !this.#seen.has(id))
    this.#seen = ids
    return isMore
  }

  /** How the last round went: 0; 111 if it is worth while to come again; 100 if the forge refuses for good. */
  get code(): number {
    return this.#code
  }

  /** A forge that is away is said once; nothing is lost meanwhile. One that refuses may be told better: it is asked again, too. */
  #fail(error: unknown): void {
    const said = error instanceof Error ? error.message : String(error)
    const why = error instanceof ForgeError ? `unable to ask the forge: ${said}` : said
    this.#trouble.say(`${this.project.name}: ${why}; it is tried again`)
    this.#code = isRefused(error) ? EXIT.lasting : EXIT.temporary
    this.#retryAt = this.#now() + Math.min(FETCH_PAUSE_MS.last, FETCH_PAUSE_MS.first * 2 ** this.#failures++)
  }

  async #work(look: boolean): Promise<void> {
    const { inbox } = this.project
    await this.#mirror.open()
    if (!readTips(inbox)) await this.#look()
    let failed = await this.#drain()
    if (look || this.#now() >= this.#lookAt) {
      try {
        await this.#look()
      } catch (error) {
        // While a forge is away, the same is said of it each time.
        throw failed ?? error
      }
      this.#lookAt = this.#now() + this.project.poll
      failed = (await this.#drain()) ?? failed
    }
    if (failed !== undefined) throw failed
  }

  /**
   * Works off the records that were begun before, then the deliveries that are there, the oldest first, then what has failed
   * before. One that fails, of a ref that cannot be fetched or a change that cannot be asked about, holds up no other; several in a
   * row have it in common. Answers the first failure, but one after which it is worth while to come again before all others; undefined if there was none.
   */
  async #drain(): Promise<Error | undefined> {
    const failures: Error[] = []
    let inARow = 0
    for (const record of this.#records()) {
      try {
        this.#failed.delete(record)
        await this.#finish(record)
        inARow = 0
      } catch (error) {
        this.#failed.add(record)
        failures.push(error instanceof Error ? error : new Error(String(error)))
        if (++inARow === FAILURES_IN_A_ROW) break
      }
    }
    return failures.find(error => !isRefused(error)) ?? failures[0]
  }

  *#records(): Generator<string> {
    const { inbox } = this.project
    const begun = records.listDeliveries(inbox)
    const failed = [...this.#failed].filter(record => begun.includes(record))
    yield* begun.filter(record => !failed.includes(record))
    const age = (id: string) => tolerating(['ENOENT'], () => statSync(join(inbox.fresh, id)).mtimeMs) ?? 0
    const ids = listIfThere(inbox.fresh).map(id => [age(id), id] as const)
    for (const [, id] of ids.sort(([a, i], [b, j]) => a - b || (i < j ? -1 : 1))) {
      records.takeDelivery(inbox, id)
      yield join(inbox.doing, id)
    }
    yield* failed
  }

  /** F1 to F4. */
  async #finish(record: string): Promise<void> {
    const { inbox, name } = this.project
    if (records.dropRepeated(inbox, record)) return
    const plan = records.readFetchPlan(record) ?? (await this.#decide(record))
    if (!plan) return
    const tmp = this.#spool.tasks.tmp
    if (plan.change) {
      writeChange(inbox, plan.change, tmp)
      const { ref, head, open } = plan.change
      records.forgetHeld(this.project.held, ref, open ? head : undefined)
    }
    const made = records.publishEvents(record, plan, this.project)
    const tips = new Map(readTips(inbox))
    for (const [ref, tip] of plan.tips) {
      if (tip === null) tips.delete(ref)
      else tips.set(ref, tip)
    }
    if (plan.tips.length > 0) writeTips(inbox, tips, tmp)
    records.endRecord(inbox, record)
    say('info', `${name}: ${plan.why}${made > 0 || plan.batch === null ? '' : ', as was known'}`)
  }

  /** F1 to F2. Undefined if the record holds nothing. */
  async #decide(record: string): Promise<records.FetchPlan | undefined> {
    const { inbox } = this.project
    const content = records.deliveryIn(record)
    if (!content) {
      // Not removed as a tree: another fetcher may be putting the delivery into it.
      tolerating(['ENOENT', 'ESTALE', 'ENOTEMPTY', 'EEXIST'], () => rmdirSync(record))
      return undefined
    }
    const all: Decided[] = []
    let looked: Look['look'] = []
    try {
      const tips = readTips(inbox) ?? new Map<string, string>()
      const stored = parseDelivery(content)
      if ('look' in stored) looked = stored.look
      for (const wish of await wishesIn(stored, this.project)) {
        all.push(
          wish.kind === 'push'
            ? await decidePush(this.#spool, this.project, wish, basename(record), this.#mirror, tips)
            : await decideChange(this.#spool, this.project, wish, basename(record), this.#mirror),
        )
      }
    } catch (error) {
      if (!(error instanceof BadDelivery)) throw error
      all.push({ events: [], tips: [], change: null, why: `it cannot be read: ${reasonOf(error)}` })
    }
    records.decideDelivery(
      inbox,
      record,
      all.flatMap(({ events }) => events),
      {
        // What was looked at and led to nothing is not found again by the next look.
        tips: [...looked, ...all.flatMap(({ tips }) => tips)],
        change: all.find(({ change }) => change)?.change ?? null,
        why: all.map(({ why }) => why).join('; ') || 'nothing to do',
      },
    )
    return records.readFetchPlan(record)
  }

  /**
   * Looks at the forge for what no delivery told. The first time, only the default branch is built: everything else was there
   * before.
   */
  async #look(): Promise<void> {
    const { inbox } = this.project
    const { refs, head } = await this.#mirror.look()
    const before = readTips(inbox)
    if (!before) {
      await this.#mirror.fetchAll(head)
      const others = new Map([...refs].filter(([ref]) => ref !== head))
      this.#store([...refs].filter(([ref]) => ref === head))
      writeTips(inbox, others, this.#spool.tasks.tmp)
      return
    }
    const moved = [...refs].filter(([ref, tip]) => before.get(ref) !== tip)
    const gone = [...before.keys()].filter(ref => !refs.has(ref)).map(ref => [ref, null] as const)
    // One delivery each: what cannot be had holds up nothing else, and each change has a state of its own.
    // The default branch first: new branches are compared with it. Names keep the order where times are equal.
    const first = moved.filter(([ref]) => ref === head)
    const others = moved.filter(([ref]) => ref !== head)
    const found = [...first, ...others, ...gone]
    const known = new Set(found.map(([ref]) => ref))
    const differing = (await this.#differing()).filter(ref => !known.has(ref))
    this.#store([...found, ...differing.map(ref => [ref, refs.get(ref) ?? null] as const)])
  }

  /** The refs of the changes that are open here and not on the forge, or the other way about, or have another target there. */
  async #differing(): Promise<string[]> {
    const { api, inbox } = this.project
    const changes = api ? readChanges(inbox) : []
    if (!api || changes.length === 0) return []
    const open = new Map((await api.openChanges()).map(change => [change.number, change]))
    const isAsThere = ({ number, open: isOpen, target }: ChangeState) => {
      const there = open.get(number)
      return isOpen === (there !== undefined) && (there === undefined || target === there.target)
    }
    return changes.filter(change => !isAsThere(change)).map(({ ref }) => ref)
  }

  #store(found: readonly (readonly [string, string | null])[]): void {
    const look = token()
    const deliveries = found.map((one, i) => ({
      id: `look-${look}-${String(i).padStart(6, '0')}`,
      content: formatLook({ look: [one] }),
    }))
    storeDeliveries(this.#spool, this.project.inbox, deliveries)
  }

  /** Removes records that have been done for RETENTION, and forgets what came of those that are removed. */
  #tidy(): void {
    const { name, retention, inbox } = this.project
    if (this.#now() - this.#tidied < TIDY_EVERY) return
    this.#tidied = this.#now()
    if (retention !== Infinity)
      removeDeliveries(this.#spool, doneDeliveries(this.#spool, Date.now() - retention, name))
    forgetOld(inbox)
  }
}
