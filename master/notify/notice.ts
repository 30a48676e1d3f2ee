// A notice: the JSON that webhooks and programs get, and the source of mails.

import { tryGit } from '../../lib/git/process.ts'
import { readCommits } from '../../lib/git/commit.ts'
import type { CommitView } from '../../lib/git/commit.ts'
import { token } from '../../lib/system/durable.ts'
import { lastLinesOf } from '../../lib/view/last-lines.ts'
import type { LastLine } from '../../lib/view/last-lines.ts'
import { address, optional } from '../../lib/base/settings.ts'
import type { TaskView } from '../../lib/view/view.ts'
import type { StatusChange, TaskStage } from './policy.ts'

/** How many lines of the failing step, and how many commits. */
const NOTICE_LINES = 20
const COMMITS = 20

export interface Notice {
  /** The same however often it is tried; no other notice has it. */
  readonly id: string
  readonly stage: TaskStage
  /** When the task came to this stage, in milliseconds since 1970; null if nothing says. */
  readonly at: number | null
  /** The change this makes for its ref, architecture and line of a Testfile. */
  readonly change: StatusChange | null
  /** The page of the job; null without REPORTER_URL. */
  readonly url: string | null
  /** The task as `bass show --json` has it, when this was written. */
  readonly task: TaskView
  /** The commits since the last verdict of these, newest first; at least the revision itself. */
  readonly commits: readonly CommitView[]
  /** The end of the step that failed. */
  readonly lastLines: readonly LastLine[]
}

/** The part of a notice that all stages of a task share; `since` is the revision of the verdict before. */
export async function describe(
  { env }: { readonly env: NodeJS.ProcessEnv },
  view: TaskView,
  jobAt: string | undefined,
  change: StatusChange | null,
  since: string | null,
): Promise<(stage: TaskStage) => Notice> {
  const pages = address('REPORTER_URL', env)
  const shared = {
    url: pages === undefined ? null : new URL(`/job/${view.num}`, pages).href,
    // Paths of the taker's host do not leave the site.
    task: view.job ? { ...view, job: { ...view.job, slot: null } } : view,
    commits: await commitsOf(optional('PROJ', env), view.revision, since),
  }
  const times = { waiting: view.made, running: view.job?.claimed ?? null, over: view.job?.ended ?? null }
  const lines = await lastLinesOf(view, jobAt, NOTICE_LINES)
  return stage => ({
    id: `${view.num}.${stage}.${token()}`,
    stage,
    at: times[stage],
    change: stage === 'over' ? change : null,
    ...shared,
    lastLines: stage === 'over' ? lines : [],
  })
}

async function commitsOf(
  repository: string | undefined,
  revision: string | null,
  since: string | null,
): Promise<CommitView[]> {
  if (repository === undefined || revision === null) return []
  const ids = [revision, ...between(repository, since, revision).filter(id => id !== revision)]
  const known = await readCommits(repository, ids)
  return ids.flatMap(id => known.get(id) ?? [])
}

function between(repository: string, since: string | null, revision: string): string[] {
  if (since === null) return []
  try {
    const ids = tryGit(
      repository,
      'rev-list',
      `--max-count=${COMMITS}`,
      '--end-of-options',
      `${since}..${revision}`,
    )
    return (ids ?? '').split('\n').filter(id => id !== '')
  } catch {
    // Without git there is less to say, which is no reason to say nothing.
    return []
  }
}
