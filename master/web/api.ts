// The same JSON that the verbs print, for programs. Paths of slaves and of the spool are for those who may act.

import { parseLabel } from '../../lib/base/tai64n.ts'
import { heldChanges } from '../../lib/spool/held.ts'
import { decisiveStep } from '../../lib/view/view.ts'
import type { TaskView } from '../../lib/view/view.ts'
import { eventsWaiting } from '../../lib/view/pending-events.ts'
import { LATE } from '../../lib/view/views.ts'
import type { TaskDetails, Overview } from '../../lib/view/views.ts'
import { whereIs } from '../../lib/view/whereabouts.ts'
import type { Viewer } from './pages/page.ts'
import { WindowedLog } from './log/log-window.ts'
import { filesBelow, openLog } from './site/job-files.ts'
import { boardOf } from './site/board.ts'
import type { Waiting } from './site/board.ts'
import type { Site } from './site/site.ts'

/** Tasks that are over, of an answer, and the most that one may ask for; lines of the step that decides. */
const RECENT = 10
export const RECENT_MAX = 1000
const API_LINES = 10
/** Artifacts that are named at most. */
const FILES = 20_000

/** A view as this viewer may see it. */
export function publicView(site: Site, viewer: Viewer, view: TaskView): TaskView {
  if (viewer.name !== undefined || !view.job) return view
  return {
    ...view,
    job: { ...view.job, slot: null, error: view.job.error && site.withoutPaths(view.job.error) },
  }
}

/** The JSON of `bass show --json`. */
export async function showJson(site: Site, viewer: Viewer, view: TaskView): Promise<TaskDetails> {
  const { taskAt = null, jobAt = null } = whereIs(site.spool, view.name) ?? {}
  const commits = await site.commits([view])
  const known = viewer.name !== undefined
  return {
    ...publicView(site, viewer, view),
    wait: boardOf(site).waiting.find(one => one.view.name === view.name)?.wait ?? null,
    commit: commits.get(view.revision ?? '') ?? null,
    taskDirectory: known ? taskAt : null,
    jobDirectory: known ? jobAt : null,
    artifactFiles: view.job?.artifacts ? await artifactFiles(site, view) : [],
    lastLines: await lastLines(site, view),
  }
}

async function artifactFiles({ files }: Site, view: TaskView) {
  const found: { path: string; bytes: number }[] = []
  for await (const file of filesBelow(files, view, FILES)) found.push(file)
  return found.sort((a, b) => (a.path < b.path ? -1 : 1))
}

/** The end of the step that ended the job, or that it is at. */
async function lastLines({ files }: Site, view: TaskView) {
  const decisive = view.job && decisiveStep(view.job)
  if (!decisive || view.job.verdict === 'success') return []
  const log = await WindowedLog.open(await openLog(files, view, decisive.name), false)
  try {
    return (await log.backward(log.size, API_LINES)).lines.map(({ stream, label, text }) => ({
      step: decisive.name,
      stream: `std${stream}`,
      time: parseLabel(label) ?? null,
      text: text.toString(),
    }))
  } finally {
    await log.close()
  }
}

/** The JSON of `bass status --json`. */
export function statusJson(site: Site, viewer: Viewer, count = RECENT, project?: string): Overview {
  const now = Date.now()
  const { running, waiting, takers, crew, paused } = boardOf(site, project, Infinity)
  const shown = (view: TaskView) => publicView(site, viewer, view)
  return {
    now,
    waiting: waiting.map(({ view, wait }: Waiting) => ({ ...shown(view), wait })),
    running: running.map(({ view, expected }) => ({ ...shown(view), wait: null, expected })),
    held: heldChanges(site.spool).filter(change => project === undefined || change.project === project),
    recent: recent(site, count, project).map(view => ({ ...shown(view), wait: null })),
    takers: takers.map(taker => (viewer.name === undefined ? { ...taker, slot: null } : taker)),
    crew,
    paused,
    events: eventsWaiting(site.spool, now, LATE).filter(
      one => project === undefined || one.project === project,
    ),
  }
}

function recent(site: Site, count: number, project?: string): TaskView[] {
  const views: TaskView[] = []
  for (const row of site.index.rows({ project })) {
    if (views.length >= count) break
    // Anew: it may have been retried meanwhile.
    const view = site.view(site.index.entry(row), true)
    if (view?.state === 'over') views.push(view)
  }
  return views.sort((a, b) => (b.job?.ended ?? 0) - (a.job?.ended ?? 0))
}
