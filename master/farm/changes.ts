// Carries a plan out in the database: the change as it stands now, its earlier jobs cancelled, its new ones queued.

import { contextOf, NOTHING_TO_TEST } from '../../lib/testfile/check-name.ts'
import type { Transaction } from './database.ts'
import type { Head, FarmPlan } from './plan.ts'
import type { FarmProject } from './projects.ts'

/** A project, and whether another one is on its repository, on which the names of its checks depend. */
export type NamedProject = FarmProject & { readonly shared: boolean }

/** Does what a plan says, and returns what there is to say of it. */
export async function apply(
  sql: Transaction,
  project: NamedProject,
  plan: FarmPlan,
): Promise<string | undefined> {
  const { name, ref, revision, over, held, fork, source, target, title, author } = plan
  const { url, params, heard, head, reopened } = plan
  const [was] = await sql<{ target: string | null }[]>`
    select target from change where project = ${project.name} and name = ${name} for update`
  // With another target other files differ.
  const isAnew = !!was?.target && was.target !== target
  // A late delivery changes nothing: a change that was closed is not opened by what happened before. Forges tell its time in whole
  // seconds: of the same one, what is closed was closed last, unless it was opened again.
  const [row] = await sql<{ id: number; approved: string | null }[]>`
    insert into change (project, name, ref, head, open, held, fork, source, target, title, author, url, params, heard)
    values (${project.name}, ${name}, ${ref}, ${revision ?? ''}, ${over === undefined}, ${held}, ${fork}, ${source}, ${target},
      ${title}, ${author}, ${url}, ${sql.json(params)}, ${heard})
    on conflict (project, name) do update set ref = excluded.ref, open = excluded.open, held = excluded.held,
      head = case when excluded.open then excluded.head else change.head end,
      source = excluded.source, target = excluded.target, title = excluded.title, author = excluded.author, url = excluded.url,
      params = excluded.params, heard = coalesce(excluded.heard, change.heard), updated = now()
      where excluded.heard is null or change.heard is null or excluded.heard > change.heard
        or (excluded.heard = change.heard and (change.open or not excluded.open or ${reopened}))
    returning id, approved`
  if (!row) return 'it was heard of later already'
  if (over !== undefined) return cancel(sql, row.id, undefined, over)
  const takesPlace = isAnew ? `it is to go into ${target} now` : `${revision!.slice(0, 7)} takes its place`
  if (plan.supersedes) await cancel(sql, row.id, isAnew ? undefined : revision, takesPlace)
  if (head.gone !== undefined) return head.gone
  if (held && row.approved !== revision) return 'the change waits for approval'
  if (!isAnew && (await isQueued(sql, row.id, revision!, reopened))) return 'its head has its jobs already'
  await queueHead(sql, project, { id: row.id, ref, revision: revision!, params }, head)
  return undefined
}

/** Lets this head of a change run, which is held; false if it is not any more. */
export async function approveChange(
  sql: Transaction,
  project: NamedProject,
  name: string,
  revision: string,
  head: Head,
): Promise<boolean> {
  const [row] = await sql<{ id: number; ref: string; params: Record<string, string> }[]>`
    update change set approved = head, updated = now()
    where project = ${project.name} and name = ${name} and head = ${revision} and held and open and approved is distinct from head
    returning id, ref, params`
  if (!row || head.gone !== undefined) return false
  if (!(await isQueued(sql, row.id, revision, false)))
    await queueHead(sql, project, { ...row, revision }, head)
  return true
}

/** Cancels the jobs of a change, but for those of the revision `spared`. */
async function cancel(
  sql: Transaction,
  change: number,
  spared: string | undefined,
  why: string,
): Promise<undefined> {
  await sql`select cancel(array(select num from job where change = ${change}
    and revision is distinct from ${spared ?? null}), ${why})`
}

/** True if a head has jobs that were not cancelled; of one that was `reopened`, if none was. */
async function isQueued(
  sql: Transaction,
  change: number,
  revision: string,
  reopened: boolean,
): Promise<boolean> {
  const [stands] = await sql<{ some: boolean | null; all: boolean | null }[]>`
    select bool_or(stands) as some, bool_and(stands) as all from (
      select distinct on (label, arch, host) stands from (
        select label, arch, host, num, cancelled is null as stands from job where change = ${change} and revision = ${revision}
        union all select label, arch, host, num, verdict <> 'cancelled' from result
          where change = ${change} and revision = ${revision}) attempts
      order by label, arch, host, num desc) newest`
  return (reopened ? stands!.all : stands!.some) === true
}

async function queueHead(
  sql: Transaction,
  project: NamedProject,
  {
    id,
    ref,
    revision,
    params,
  }: { id: number; ref: string; revision: string; params: Readonly<Record<string, string>> },
  { jobs, broken }: Head,
): Promise<void> {
  const naming = { project: project.name, archs: project.targets.length, shared: project.shared }
  const nameOf = (label: string | null, target = '') => contextOf(label, target, naming)
  for (const target of project.targets) {
    const [arch, host = null] = target.split(':')
    for (const { label, directory, command } of jobs) {
      const job = {
        project: project.name,
        change: id,
        ref,
        revision,
        version: revision.slice(0, 7),
        label: nameOf(label, target),
        directory,
        command,
        arch: arch!,
        host,
        params,
        limits: project.limits,
      }
      await sql`select queue(jsonb_populate_record(null::job, ${sql.json(job)}))`
    }
  }
  const say = (context: string, state: string, description: string) =>
    sql`insert into "check" (project, revision, context, state, description)
      values (${project.name}, ${revision}, ${context}, ${state}, ${description})`
  for (const { label, error } of broken) await say(nameOf(label), 'error', error.slice(0, 140))
  if (jobs.length === 0 && broken.length === 0)
    await say(nameOf(NOTHING_TO_TEST.name), 'success', NOTHING_TO_TEST.says)
}
