// The same JSON that the verbs print, for programs. Paths of slaves and of the spool are for those who may act.

import { join } from 'node:path'

import { parseLabel } from '../../lib/base/tai64n.ts'
import { heldChanges } from '../../lib/spool/held.ts'
import { decisiveStep } from '../../lib/view/view.ts'
import type { TaskView } from '../../lib/view/view.ts'
import { whereIs } from '../../lib/view/whereabouts.ts'
import { listArtifacts } from './artifacts.ts'
import type { Viewer } from './auth.ts'
import { WindowedLog } from './log/log-window.ts'
import type { Site, Waiting } from './site/site.ts'

/** Tasks that are over, of an answer; lines of the step that decides. */
const RECENT = 10
const LINES = 10

/** A view as this viewer may see it. */
export function publicView(site: Site, viewer: Viewer, view: TaskView): TaskView {
  if (viewer.name !== undefined || !view.job) return view
  return {
    ...view,
    job: { ...view.job, slot: null, error: view.job.error && site.withoutPaths(view.job.error) },
  }
}

/** The JSON of `bass show --json`. */
export async function showJson(site: Site, viewer: Viewer, view: TaskView) {
  const { taskAt = null, jobAt = null } = whereIs(site.spool, view.name) ?? {}
  const commits = await site.commits([view])
  const known = viewer.name !== undefined
  return {
    ...publicView(site, viewer, view),
    wait: site.board().waiting.find(one => one.view.name === view.name)?.wait ?? null,
    commit: commits.get(view.revision ?? '') ?? null,
    taskDirectory: known ? taskAt : null,
    jobDirectory: known ? jobAt : null,
    artifactFiles: view.job?.artifacts && jobAt !== null ? await filesBelow(jobAt) : [],
    lastLines: jobAt === null ? [] : await lastLines(view, jobAt),
  }
}

async function filesBelow(job: string, path = ''): Promise<{ path: string; bytes: number }[]> {
  const files: { path: string; bytes: number }[] = []
  for (const { name, size } of (await listArtifacts(job, path)) ?? []) {
    if (size === null) files.push(...(await filesBelow(job, `${path}${name}/`)))
    else files.push({ path: path + name, bytes: size })
  }
  return files.sort((a, b) => (a.path < b.path ? -1 : 1))
}

/** The end of the step that ended the job, or that it is at. */
async function lastLines({ job }: TaskView, directory: string) {
  const decisive = job && decisiveStep(job)
  if (!decisive || job.verdict === 'success') return []
  const log = await WindowedLog.open(join(directory, 'steps', decisive.name), false)
  try {
    return (await log.backward(log.size, LINES)).lines.map(({ stream, label, text }) => ({
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
export function statusJson(site: Site, viewer: Viewer, project?: string) {
  const { running, waiting, takers, paused } = site.board(project, Infinity)
  const shown = (view: TaskView) => publicView(site, viewer, view)
  return {
    now: Date.now(),
    waiting: waiting.map(({ view, wait }: Waiting) => ({ ...shown(view), wait })),
    running: running.map(({ view, expected }) => ({ ...shown(view), wait: null, expected })),
    held: heldChanges(site.spool).filter(change => project === undefined || change.project === project),
    recent: recent(site, project).map(view => ({ ...shown(view), wait: null })),
    takers: takers.map(taker => (viewer.name === undefined ? { ...taker, slot: null } : taker)),
    paused,
  }
}

function recent(site: Site, project?: string): TaskView[] {
  const views: TaskView[] = []
  for (const row of site.index.rows({ project })) {
    // Anew: it may have been retried meanwhile.
    const view = site.view(site.index.entry(row), true)
    if (view?.state === 'over') views.push(view)
    if (views.length === RECENT) break
  }
  return views.sort((a, b) => (b.job?.ended ?? 0) - (a.job?.ended ?? 0))
}
