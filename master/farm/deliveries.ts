// From a forge's delivery to jobs. A delivery is stored first and worked off later, by any farmer, in one transaction with
// what comes of it: so it has its effect once, whatever crashes.

import { reasonOf } from '../../lib/base/errno.ts'
import { BadDelivery } from '../../lib/forge/forge.ts'
import type { ChangeWish, PushWish } from '../../lib/forge/forge.ts'
import { gitAccess, isTrusted, openApi } from '../../lib/forge/open.ts'
import { warn } from '../../lib/system/log.ts'
import { checkName, checksOf } from '../../lib/testfile/choose.ts'
import type { Check } from '../../lib/testfile/choose.ts'
import type { Database } from './database.ts'
import { FarmMirror } from './mirror.ts'
import { mirrorOf } from './projects.ts'
import type { Project, Projects } from './projects.ts'
import { WorkLoop } from './work-loop.ts'

/** How often one is tried that fails, and the most time between two tries, in seconds. */
const TRIES = 40
const LONGEST = 60

type Transaction = Parameters<Parameters<Database['begin']>[1]>[0]

export class Deliveries {
  readonly #db: Database
  readonly #projects: Projects
  readonly #directory: string
  readonly #mirrors = new Map<string, { readonly url: string; readonly mirror: FarmMirror }>()
  readonly #loop: WorkLoop

  constructor(db: Database, projects: Projects, directory: string) {
    this.#db = db
    this.#loop = new WorkLoop(db, ['work off', 'deliveries'], () => this.#one())
    this.#projects = projects
    this.#directory = directory
  }

  open(): Promise<void> {
    return this.#loop.open('farm_delivery')
  }

  close(): Promise<void> {
    return this.#loop.close()
  }

  /** Stores a delivery, durably; `there` if it was stored before. */
  async store(project: string, id: string, headers: Headers, body: Uint8Array): Promise<'stored' | 'there'> {
    const rows = await this.#db`
      insert into delivery (project, id, headers, body)
      values (${project}, ${id}, ${this.#db.json(Object.fromEntries(headers))}, ${Buffer.from(body)})
      on conflict do nothing returning id`
    return rows.length > 0 ? 'stored' : 'there'
  }

  /** Works off the first delivery that is due and no other farmer has in hand; false if there is none. */
  async #one(): Promise<boolean> {
    let tried: { project: string; id: string; tries: number } | undefined
    try {
      return await this.#db.begin(async sql => {
        // Those of one project in their order: whoever has the project's lock works them off.
        const [next] = await sql<
          { project: string; id: string; headers: Record<string, string>; body: Buffer; tries: number }[]
        >`
          select project, id, headers, body, tries from delivery
          where body is not null and due <= now()
            and not exists (select from delivery e where e.project = delivery.project and e.body is not null
              and (e.received, e.id) < (delivery.received, delivery.id))
            and pg_try_advisory_xact_lock(1178686031, hashtext(project))
          order by received, id limit 1`
        if (!next) return false
        // It may have been worked off between our look and the lock.
        const [row] = await sql`select id from delivery where project = ${next.project} and id = ${next.id}
          and body is not null for update skip locked`
        if (!row) return true
        tried = next
        const note = await this.#handle(sql, next)
        await sql`update delivery set body = null, headers = null, error = ${note ?? null}
          where project = ${next.project} and id = ${next.id}`
        return true
      })
    } catch (error) {
      if (!tried) throw error
      await this.#postpone(tried, error)
      return true
    }
  }

  async #postpone(
    { project, id, tries }: { project: string; id: string; tries: number },
    error: unknown,
  ): Promise<void> {
    const lasting = error instanceof BadDelivery || tries + 1 >= TRIES
    warn('work off a delivery of', project, error)
    await this.#db`
      update delivery set tries = tries + 1, error = ${reasonOf(error)},
        due = now() + ${Math.min(2 ** tries, LONGEST)} * interval '1 second',
        body = case when ${lasting} then null else body end
      where project = ${project} and id = ${id}`
  }

  /** Returns what there is to say of it. */
  async #handle(
    sql: Transaction,
    { project: name, headers, body }: { project: string; headers: Record<string, string>; body: Buffer },
  ): Promise<string | undefined> {
    const project = this.#projects.find(name)
    if (!project) return 'there is no such project any more'
    const wish = project.forge.read(new Headers(headers), body)
    if (wish.kind === 'push') return this.#push(sql, project, wish)
    if (wish.kind === 'change') return this.#change(sql, project, wish)
    return wish.kind === 'nothing' ? wish.why : undefined
  }

  async #change(
    sql: Transaction,
    project: Project,
    { action, change }: ChangeWish,
  ): Promise<string | undefined> {
    const name = String(change.number)
    const ref = project.forge.changeRef(change.number) ?? `refs/heads/${change.source}`
    const open = action !== 'closed'
    const trusted = await isTrusted(change, project.trust, openApi(project.forge, project.settings))
    const [row] = await sql<{ id: number; approved: string | null }[]>`
      insert into change (project, name, ref, head, open, held, fork, target, title, author, url)
      values (${project.name}, ${name}, ${ref}, ${change.head}, ${open}, ${!trusted}, ${change.fork}, ${change.target},
        ${change.title}, ${change.author}, ${change.url})
      on conflict (project, name) do update set ref = excluded.ref, head = excluded.head, open = excluded.open,
        held = excluded.held, target = excluded.target, title = excluded.title, author = excluded.author,
        url = excluded.url, updated = now()
      returning id, approved`
    if (!open) return this.#cancel(sql, row!.id, undefined, 'the change was closed')
    if (project.supersede !== 'no') {
      await this.#cancel(sql, row!.id, change.head, `${change.head.slice(0, 7)} takes its place`)
    }
    if (!trusted && row!.approved !== change.head) return 'the change waits for approval'
    return this.#build(sql, project, row!.id, {
      ref,
      revision: change.head,
      target: `refs/heads/${change.target}`,
    })
  }

  async #push(
    sql: Transaction,
    project: Project,
    { ref, before, after, author }: PushWish,
  ): Promise<string | undefined> {
    const [row] = await sql<{ id: number }[]>`
      insert into change (project, name, ref, head, open, author)
      values (${project.name}, ${ref}, ${ref}, ${after ?? ''}, ${after !== null}, ${author})
      on conflict (project, name) do update set head = excluded.head, open = excluded.open, author = excluded.author,
        updated = now()
      returning id`
    if (after === null) return this.#cancel(sql, row!.id, undefined, 'the branch was deleted')
    if (project.supersede === 'all') {
      await this.#cancel(sql, row!.id, after, `${after.slice(0, 7)} takes its place`)
    }
    return this.#build(sql, project, row!.id, { ref, revision: after, base: before ?? undefined })
  }

  /** Builds the head that a person approved. */
  async approve(id: number): Promise<boolean> {
    return this.#db.begin(async sql => {
      const [row] = await sql<{ project: string; ref: string; head: string; target: string | null }[]>`
        update change set approved = head where id = ${id} and held and open returning project, ref, head, target`
      const project = row && this.#projects.find(row.project)
      if (!row || !project) return false
      const target = row.target === null ? undefined : `refs/heads/${row.target}`
      await this.#build(sql, project, id, { ref: row.ref, revision: row.head, target })
      return true
    })
  }

  /** Cancels the jobs of a change, but for those of the revision `spared`. */
  async #cancel(
    sql: Transaction,
    change: number,
    spared: string | undefined,
    why: string,
  ): Promise<undefined> {
    await sql`select cancel(array(select num from job where change = ${change}
      and revision is distinct from ${spared ?? null}), ${why})`
  }

  async #build(
    sql: Transaction,
    project: Project,
    change: number,
    what: { ref: string; revision: string; base?: string | undefined; target?: string | undefined },
  ): Promise<string | undefined> {
    const { ref, revision, target } = what
    const [stands] = await sql`
      select 1 from job where change = ${change} and revision = ${revision} union all
      select 1 from result where change = ${change} and revision = ${revision}
        and verdict <> 'cancelled' limit 1`
    if (stands) return 'its head has its jobs already'
    const mirror = this.#mirror(project)
    const access =
      project.clone === project.forge.cloneUrl ? await gitAccess(project.forge, project.settings) : {}
    await mirror.fetch(ref, revision, [what.base, target], access)
    if (!(await mirror.has(revision))) return `${revision.slice(0, 7)} is gone: something newer was pushed`
    const base =
      target === undefined
        ? ((what.base !== undefined && (await mirror.has(what.base)) ? what.base : undefined) ??
          (await mirror.parent(revision)))
        : await mirror.mergeBase(target, revision)
    const files = await mirror.changedFiles(base, revision)
    const { files: testfiles, bad, bass } = await mirror.testfiles(files, revision)
    const checks = [...checksOf(testfiles), ...bad]
    for (const target of project.targets) {
      if (bass)
        await queue(sql, project, change, target, what, {
          name: checkName('', project.name),
          directory: '',
          command: null,
        })
      for (const check of checks) {
        if ('command' in check) await queue(sql, project, change, target, what, check)
      }
    }
    for (const check of checks) if ('error' in check) await broken(sql, project.name, revision, check)
    if (checks.length === 0 && !bass) {
      await sql`insert into "check" (project, revision, context, state, description)
        values (${project.name}, ${revision}, ${project.name}, 'success', 'nothing to test')`
    }
    return undefined
  }

  #mirror({ name, clone }: Project): FarmMirror {
    const known = this.#mirrors.get(name)
    if (known?.url === clone) return known.mirror
    const mirror = new FarmMirror(mirrorOf(this.#directory, name), clone)
    this.#mirrors.set(name, { url: clone, mirror })
    return mirror
  }
}

async function queue(
  sql: Transaction,
  project: Project,
  change: number,
  target: string,
  { ref, revision }: { ref: string; revision: string },
  check: { name: string; directory: string; command: string | null },
): Promise<void> {
  const [arch, host = null] = target.split(':')
  // As FORGES.md has it: the architecture stands in a check's name where there is more than one.
  const label = project.targets.length > 1 ? `${check.name} ${target}` : check.name
  const utf8 = (text: string) => Buffer.from(text, 'latin1').toString('utf8')
  const job = {
    project: project.name,
    change,
    ref,
    revision,
    version: revision.slice(0, 7),
    label: utf8(label),
    directory: utf8(check.directory),
    command: check.command === null ? null : utf8(check.command),
    arch: arch!,
    host,
  }
  await sql`select queue(jsonb_populate_record(null::job, ${sql.json(job)}))`
}

const broken = (sql: Transaction, project: string, revision: string, check: Check & { error: string }) =>
  sql`insert into "check" (project, revision, context, state, description)
    values (${project}, ${revision}, ${Buffer.from(check.name, 'latin1').toString()}, 'error', ${check.error.slice(0, 140)})`
