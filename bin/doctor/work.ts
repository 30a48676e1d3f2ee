// Work without a worker: architectures without a taker, events without a task-maker.

import { statSync } from 'node:fs'
import { join } from 'node:path'

import { entriesIfThere, listIfThere, mustList } from '../../lib/system/listing.ts'
import { ignoringENOENT } from '../../lib/base/errno.ts'
import { ofProject, projectsOf } from '../../lib/conf/project-settings.ts'
import { shellQuote } from '../../lib/base/shell-quote.ts'
import { parseTasks } from '../../lib/spool/spool.ts'
import type { Spool } from '../../lib/spool/spool.ts'
import { ago, counted } from '../../lib/base/text.ts'
import { fine, wrong } from './finding.ts'
import type { Finding } from './finding.ts'
import type { LiveTaker } from './hosts.ts'

/** An event that a task-maker sees is made into tasks, or given up, within this many milliseconds. */
const PATIENCE = 300_000

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
    const fix = `start slave/bin/task-taker ${where}, or take ${target} out of the ARCHS of ${whose}`
    return wrong('arch', target, `no taker for it is alive, and ${whose} has tasks for it`, fix)
  })
}

/** Every project's events are made into tasks. */
export function checkEvents(spool: Spool, now = Date.now()): Finding[] {
  return projectsOf(spool).flatMap(project => {
    const at = (...parts: string[]) => join(spool.revs, ...parts, project)
    const waiting = [...eventTimes(at()), ...eventTimes(at('.making'))]
    const oldest = Math.min(...waiting)
    const given = listIfThere(at('.failed')).length
    const run = `BASS_RC=${shellQuote(join(spool.root, 'conf', project, 'rc'))} master/bin/task-maker`
    const stuck =
      now - oldest > PATIENCE
        ? wrong(
            'event',
            project,
            `${counted(waiting.length, 'event')} ${waiting.length === 1 ? 'waits' : 'wait'}, the oldest came ${ago(now - oldest)}: no task-maker takes them`,
            run,
          )
        : fine('event', project, waiting.length === 0 ? 'none waits' : counted(waiting.length, 'event'))
    if (given === 0) return [stuck]
    const why = `grep . ${shellQuote(at('.failed'))}/*/names`
    return [stuck, wrong('event', project, `${counted(given, 'event')} could not be made into tasks`, why)]
  })
}

/** When the events below a directory were made, in milliseconds. */
function eventTimes(directory: string): number[] {
  return entriesIfThere(directory).flatMap(entry => {
    if (entry.name === 'names') return []
    const path = join(directory, entry.name)
    if (entry.isDirectory()) return eventTimes(path)
    return ignoringENOENT(() => statSync(path).mtimeMs) ?? []
  })
}
