// The outbox: what forges are still to be told, in the order in which it happened, until it is told. Several farmers share
// it; one check of one commit is in one hand at a time, so that no older state comes after a newer one.

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
const LONGEST = 300
const TRIES = 1200

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
    return this.#db.begin(async sql => {
      const [check] = await sql<(CheckState & { id: number; tries: number })[]>`
        select id, project, revision, context, state, description, job, tries from "check" c
        where due <= now() and not exists (select from "check" older
          where older.project = c.project and older.revision = c.revision and older.context = c.context and older.id < c.id)
        order by state = 'pending', id limit 1 for update skip locked`
      if (!check) return false
      const done = () => sql`delete from "check" where id = ${check.id}`
      // What is pending and over already is said once.
      const [newer] =
        await sql`select id from "check" where project = ${check.project} and revision = ${check.revision}
        and context = ${check.context} and id > ${check.id} limit 1`
      if (newer) {
        await done()
        return true
      }
      try {
        await this.#post(check)
        await done()
      } catch (error) {
        warn('tell the forge of', `${check.project} ${check.context}`, error)
        if (check.tries + 1 >= TRIES) await done()
        // All of a project waits with it: if its forge is away, there is no use in asking for each.
        else
          await sql`update "check" set tries = tries + (id = ${check.id})::int,
            due = now() + ${Math.min(2 ** Math.min(check.tries, 12), LONGEST)} * interval '1 second'
            where id = ${check.id} or (project = ${check.project} and due <= now() and id > ${check.id})`
      }
      return true
    })
  }
}
