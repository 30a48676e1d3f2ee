// The outbox: what forges are still to be told, in the order in which it happened, until it is told. Several farmers share
// it; one check of one commit is in one hand at a time, so that no older state comes after a newer one.

import { ForgeError } from '../../lib/forge/client.ts'
import { warn } from '../../lib/system/log.ts'
import type { Database } from './database.ts'
import { WorkLoop } from './work-loop.ts'

export interface CheckState {
  readonly project: string
  readonly revision: string
  readonly context: string
  readonly state: 'pending' | 'success' | 'failure' | 'error'
  readonly description: string
  readonly job: number | null
}

/** Tells a forge; fails if it is away. */
export type Post = (check: CheckState) => Promise<void>

/** The most time between two tries, in seconds; and how long they go on, in tries: about four days. */
const CHECK_PAUSE_MAX_S = 300
const CHECK_TRIES = 1200
/** The same for what the forge refuses: over some four minutes, in which its commit may have come there. */
const REFUSALS = 8
/** How long one that was taken is left to the farmer that took it, in seconds; longer than a forge is waited for. */
const IN_HAND = 120

interface Taken extends CheckState {
  readonly id: number
  readonly tries: number
  /** There is something newer of its context. */
  readonly newer: boolean
}

export class Checks {
  readonly #db: Database
  readonly #post: Post
  readonly #loop: WorkLoop

  constructor(db: Database, post: Post) {
    this.#db = db
    this.#loop = new WorkLoop(db, ['post', 'checks'], () => this.#one())
    this.#post = post
  }

  open(): Promise<void> {
    return this.#loop.open('farm_check')
  }

  close(): Promise<void> {
    return this.#loop.close()
  }

  /** Tells the first that is due, and of which nothing older is left; verdicts before what is pending. */
  async #one(): Promise<boolean> {
    const check = await this.#take()
    if (!check) return false
    let failed: unknown
    try {
      // A check that is over before it was told as pending is told once.
      if (!check.newer) await this.#post(check)
    } catch (error) {
      failed = error
      warn('tell the forge of', `${check.project} ${check.context}`, error)
    }
    const db = this.#db
    const refused = isRefusal(failed)
    const isFull = failed instanceof ForgeError && failed.isFull
    if (failed === undefined || isFull || check.tries >= (refused ? REFUSALS : CHECK_TRIES)) {
      await db`delete from "check" where id = ${check.id}`
    } else {
      // All of a project waits with it: if its forge is away, there is no use in asking for each.
      await db`update "check" set due = now() + ${waitOf(check.tries, failed)} * interval '1 second'
        where id = ${check.id} or (project = ${check.project} and due <= now() and not ${refused})`
    }
    return true
  }

  /**
   * Takes a check for as long as a forge may take to answer: no transaction is open meanwhile. One that was taken by a farmer
   * that died is due again after that.
   */
  async #take(): Promise<Taken | undefined> {
    const [check] = await this.#db<Taken[]>`
      update "check" set tries = tries + 1, due = now() + ${IN_HAND} * interval '1 second'
      where id = (select id from "check" c
        where due <= now() and not exists (select from "check" older
          where older.project = c.project and older.revision = c.revision and older.context = c.context and older.id < c.id)
        order by state = 'pending', id limit 1 for update skip locked)
      returning id, project, revision, context, state, description, job, tries, exists (select from "check" newer
        where newer.project = "check".project and newer.revision = "check".revision and newer.context = "check".context
          and newer.id > "check".id) as newer`
    return check
  }
}

/** The forge refuses this very check. A credential that is refused is no such case: it may be renewed. */
const isRefusal = (error: unknown): boolean =>
  error instanceof ForgeError && !error.later && error.status !== 401 && error.status !== 403

/** How long to wait after so many tries, in seconds: as long as the forge says, where it does. */
function waitOf(tries: number, error: unknown): number {
  const asked = error instanceof ForgeError ? error.after / 1000 : 0
  return Math.max(asked, Math.min(2 ** Math.min(tries - 1, 12), CHECK_PAUSE_MAX_S))
}
