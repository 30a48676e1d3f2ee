// Work without a worker: architectures without a taker, events without a task-maker.

import { join } from 'node:path'

import { listIfThere, mustList } from '../../lib/system/listing.ts'
import { ofProject, projectsOf } from '../../lib/conf/project-settings.ts'
import { shellQuote } from '../../lib/base/shell-quote.ts'
import { parseTasks } from '../../lib/spool/spool.ts'
import type { Spool } from '../../lib/spool/spool.ts'
import { ago, counted } from '../../lib/base/text.ts'
import { eventsWait, eventsWaiting } from '../../lib/view/pending-events.ts'
import { launcherOf } from '../setup/program-kinds.ts'
import { fine, wrong } from './finding.ts'
import type { Finding } from './finding.ts'
import type { LiveTaker } from './hosts.ts'

/** An event that a task-maker sees is made into tasks, or given up, within this many milliseconds. */
const EVENT_PATIENCE_MS = 300_000

/** Every target of every project, and of every waiting task, has a taker. */
export function checkArchs(spool: Spool, takers: readonly Pick<LiveTaker, 'arch' | 'host'>[]): Finding[] {
  const wishes = new Map<string, Set<string>>()
  const wish = (target: string, project: string) =>
    wishes.set(target, (wishes.get(target) ?? new Set()).add(project))
  for (const project of projectsOf(spool)) {
    const archs = ofProject(spool, project, 'ARCHS')?.split(/\s+/) ?? []
    for (const target of archs.filter(word => word !== '')) wish(target, project)
  }
  for (const { arch, host, project } of parseTasks(mustList(spool.tasks.cur), spool.tasks.cur))
    wish(host === undefined ? arch : `${arch}:${host}`, project)
  return [...wishes].map(([target, projects]) => {
    const [arch, host] = target.split(':')
    const able = takers.filter(taker => taker.arch === arch && (host === undefined || taker.host === host))
    if (able.length > 0) return fine('arch', target, counted(able.length, 'taker'))
    const whose = [...projects].join(', ')
    const where = host === undefined ? `on such a machine` : `on ${host}`
    const fix = `start ${launcherOf('task-taker')} ${where}, or take ${target} out of the ARCHS of ${whose}`
    return wrong('arch', target, `no taker for it is alive, and ${whose} makes tasks for it`, fix)
  })
}

/** Every project's events are made into tasks. */
export function checkEvents(spool: Spool, now = Date.now()): Finding[] {
  const waiting = new Map(eventsWaiting(spool, now).map(events => [events.project, events]))
  return projectsOf(spool).flatMap(project => {
    const { count, oldest } = waiting.get(project) ?? { count: 0, oldest: now }
    const run = `BASS_RC=${shellQuote(join(spool.root, 'conf', project, 'rc'))} ${launcherOf('task-maker')}`
    const stuck = `${eventsWait(count)}, the oldest came ${ago(now - oldest)}: no task-maker takes them`
    const served =
      now - oldest > EVENT_PATIENCE_MS
        ? wrong('event', project, stuck, run)
        : fine('event', project, count === 0 ? 'none waits' : counted(count, 'event'))
    const failed = join(spool.revs, '.failed', project)
    const given = listIfThere(failed).length
    if (given === 0) return [served]
    const why = `grep . ${shellQuote(failed)}/*/names`
    return [served, wrong('event', project, `${counted(given, 'event')} could not be made into tasks`, why)]
  })
}
