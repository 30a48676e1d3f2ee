// From a forge's delivery to jobs. A delivery is stored first and worked off later, by any farmer: forge and git are asked
// without a transaction, and all that comes of it is one transaction with the end of the delivery. So it has its effect once,
// whatever crashes, and also if two farmers had it in hand.

import { reasonOf } from '../../lib/base/errno.ts'
import { Fatal } from '../../lib/base/exit.ts'
import { ForgeError } from '../../lib/forge/client.ts'
import { BadDelivery } from '../../lib/forge/forge.ts'
import { warn } from '../../lib/system/log.ts'
import { changeFrom } from './built-as.ts'
import { apply, approveChange } from './changes.ts'
import type { NamedProject } from './changes.ts'
import { transact } from './database.ts'
import type { Database, Transaction } from './database.ts'
import { FarmMirror } from './mirror.ts'
import { planHead, planOf } from './plan.ts'
import { mirrorOf } from './projects.ts'
import type { FarmProject, Projects } from './projects.ts'
import { WorkLoop } from './work-loop.ts'

/** How often one is tried that fails, and the most time between two tries, in seconds. */
const DELIVERY_TRIES = 40
const DELIVERY_PAUSE_MAX_S = 60
/** The same where forge, git or settings fail, which may be mended tomorrow: over a day. */
const AWAY_TRIES = 1440
/** So many are in hand at once, each of another project: a forge that hangs is waited for. */
const IN_HAND_AT_ONCE = 4
/** How long one is left to the farmer that has it in hand, in seconds; that farmer says so three times in that time. */
const IN_HAND = 30

/** What there is to say of a delivery; undefined where it had its effect. */
type Said = string | undefined

interface Taken {
  readonly project: string
  readonly id: string
  readonly headers: Record<string, string>
  readonly body: Buffer
  readonly tries: number
}

export class Deliveries {
  readonly #db: Database
  readonly #projects: Projects
  readonly #directory: string
  readonly #loop: WorkLoop
  /** Ends what git does. */
  readonly #end = new AbortController()

  constructor(db: Database, projects: Projects, directory: string) {
    this.#db = db
    this.#loop = new WorkLoop(db, ['work off', 'deliveries'], () => this.#one(), IN_HAND_AT_ONCE)
    this.#projects = projects
    this.#directory = directory
  }

  open(): Promise<void> {
    return this.#loop.open('farm_delivery')
  }

  close(): Promise<void> {
    this.#end.abort()
    return this.#loop.close()
  }

  /** Stores a delivery, durably; `there` if it was stored before, and not given up since: then it has its tries once more. */
  async store(project: string, id: string, headers: Headers, body: Uint8Array): Promise<'stored' | 'there'> {
    const rows = await this.#db`
      insert into delivery (project, id, headers, body)
      values (${project}, ${id}, ${this.#db.json(Object.fromEntries(headers))}, ${Buffer.from(body)})
      on conflict (project, id) do update
        set headers = excluded.headers, body = excluded.body, received = now(), tries = 0, due = now(), error = null
        where delivery.body is null and delivery.headers is not null returning id`
    return rows.length > 0 ? 'stored' : 'there'
  }

  /** Works off the first delivery that is due and no other farmer has in hand; false if there is none. */
  async #one(): Promise<boolean> {
    const taken = await this.#take()
    if (!taken) return false
    const renewal = setInterval(
      () => {
        this.#hold(taken).catch((error: unknown) => warn('hold', `a delivery of ${taken.project}`, error))
      },
      (IN_HAND * 1000) / 3,
    )
    try {
      await this.#workOff(taken)
    } catch (error) {
      clearInterval(renewal)
      await this.#postpone(taken, error)
    } finally {
      clearInterval(renewal)
    }
    return true
  }

  /** Those of one project are taken in their order: while one is in hand, or waits to be tried again, no later one is. */
  async #take(): Promise<Taken | undefined> {
    const [taken] = await this.#db<Taken[]>`
      update delivery set tries = tries + 1, due = now() + ${IN_HAND} * interval '1 second'
      where (project, id) = (
        select project, id from delivery d
        where body is not null and due <= now()
          and not exists (select from delivery e where e.project = d.project and e.body is not null
            and (e.received, e.id) < (d.received, d.id))
        order by received, id limit 1 for update skip locked)
      returning project, id, headers, body, tries`
    return taken
  }

  #hold({ project, id }: Taken) {
    return this.#db`update delivery set due = now() + ${IN_HAND} * interval '1 second'
      where project = ${project} and id = ${id} and body is not null`
  }

  async #workOff(taken: Taken): Promise<void> {
    const project = this.#projects.find(taken.project)
    if (!project) return this.#over(taken, () => 'there is no such project any more')
    const wish = project.forge.read(new Headers(taken.headers), taken.body)
    await this.#inMirror(project, async mirror => {
      const change = wish.kind === 'push' ? await changeFrom(this.#db, project, wish, mirror) : undefined
      if (change !== undefined) return this.#over(taken, () => `it is built as change ${change}`)
      const plan = await planOf(project, wish, mirror)
      const said = wish.kind === 'nothing' ? wish.why : undefined
      await this.#over(taken, sql => (plan ? apply(sql, this.#named(project), plan) : said))
    })
  }

  /** Ends a delivery, and with it does what comes of it, which returns what there is to say; nothing if it was ended before. */
  async #over({ project, id }: Taken, act: (sql: Transaction) => Said | Promise<Said>): Promise<void> {
    await transact(this.#db, async sql => {
      const [open] = await sql`
        select from delivery where project = ${project} and id = ${id} and body is not null for update`
      if (!open) return
      const note = await act(sql)
      await sql`update delivery set body = null, headers = null, error = ${note ?? null}
        where project = ${project} and id = ${id}`
    })
  }

  /** One that is given up keeps its headers: by them it is known, should the forge send it again. */
  async #postpone({ project, id, tries }: Taken, error: unknown): Promise<void> {
    // It is another farmer's now.
    if (this.#end.signal.aborted) return this.#letGo(project, id)
    const mayPass = error instanceof Fatal || error instanceof ForgeError
    const lasting = error instanceof BadDelivery || tries >= (mayPass ? AWAY_TRIES : DELIVERY_TRIES)
    warn('work off a delivery of', project, error)
    await this.#db`
      update delivery set error = ${reasonOf(error)},
        due = now() + ${Math.min(2 ** (tries - 1), DELIVERY_PAUSE_MAX_S)} * interval '1 second',
        body = case when ${lasting} then null else body end
      where project = ${project} and id = ${id} and body is not null`
  }

  async #letGo(project: string, id: string): Promise<void> {
    await this.#db`
      update delivery set tries = tries - 1, due = now() where project = ${project} and id = ${id} and body is not null`
  }

  /** Lets the head of a change run that is held; false if it is not held, or not at this revision any more. */
  async approve(project: string, name: string, revision: string): Promise<boolean> {
    const found = this.#projects.find(project)
    if (!found) return false
    const [row] = await this.#db<{ ref: string; target: string | null }[]>`
      select ref, target from change
      where project = ${project} and name = ${name} and head = ${revision} and held and open and approved is distinct from head`
    if (!row) return false
    const head = await this.#inMirror(found, mirror => planHead(found, { name, revision, ...row }, mirror))
    return transact(this.#db, sql => approveChange(sql, this.#named(found), name, revision, head))
  }

  #named(project: FarmProject): NamedProject {
    return { ...project, shared: this.#projects.isShared(project) }
  }

  /** Looks at a project's code in its mirror. */
  async #inMirror<T>({ name, clone }: FarmProject, look: (mirror: FarmMirror) => Promise<T>): Promise<T> {
    const mirror = new FarmMirror(mirrorOf(this.#directory, name), clone, this.#end.signal)
    try {
      return await look(mirror)
    } finally {
      await mirror.close()
    }
  }
}
