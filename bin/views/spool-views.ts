// The questions of verbs, asked of a spool that this host has.

import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

import { ignoringENOENT } from '../../lib/base/errno.ts'
import { duration } from '../../lib/base/settings.ts'
import { repositoryOf } from '../../lib/conf/project-settings.ts'
import { approve, heldChanges } from '../../lib/spool/held.ts'
import type { HeldChange } from '../../lib/spool/held.ts'
import { openSpool } from '../../lib/spool/spool.ts'
import type { Spool } from '../../lib/spool/spool.ts'
import type { TaskId } from '../../lib/spool/task-name.ts'
import { readBoard } from '../../lib/view/board.ts'
import { fileBytes, openStepLog } from '../../lib/view/bytes.ts'
import type { StepLog } from '../../lib/view/bytes.ts'
import { findAll, findOne } from './find-task.ts'
import type { Revisions } from './find-task.ts'
import { historyOf } from './history.ts'
import type { History } from './history.ts'
import { lastLinesOf } from '../../lib/view/last-lines.ts'
import { eventsWaiting, hasEvent } from '../../lib/view/pending-events.ts'
import { isSettled, look } from '../../lib/view/settled.ts'
import type { TaskView } from '../../lib/view/view.ts'
import { LATE } from '../../lib/view/views.ts'
import type { Cancelled, Seen, TaskDetails, Overview, Views } from '../../lib/view/views.ts'
import { whereIs } from '../../lib/view/whereabouts.ts'
import { knownProjects, noSuchProject } from '../parts/known-projects.ts'
import { Subjects } from '../parts/subjects.ts'
import { cancelLast, retryLast } from '../../lib/view/wishes.ts'
import { bytePath, shownName } from '../../lib/system/byte-names.ts'
import { JOB, stepDirectory } from '../../lib/spool/job-files.ts'

/** How many lines are told of the step that decides. */
const TOLD_LINES = 10

/* eslint-disable @typescript-eslint/require-await -- What goes wrong here is to be a rejection, as it is elsewhere. */
export class SpoolViews implements Views {
  readonly pace = 150
  readonly spool: Spool
  readonly #history: History
  readonly #subjects: Subjects
  /** The revisions of tasks that were read: whoever waits asks again and again. */
  readonly #revisions: Revisions = new Map()

  constructor(spool = openSpool()) {
    this.spool = spool
    this.#history = historyOf(spool)
    this.#subjects = new Subjects(spool)
  }

  async one(text: string): Promise<TaskId> {
    return findOne(this.spool, text).task.name
  }

  async all(text: string): Promise<readonly TaskId[]> {
    return findAll(this.spool, text, this.#revisions).map(task => task.name)
  }

  async isComing(text: string): Promise<boolean> {
    return hasEvent(this.spool, text)
  }

  async look(name: TaskId): Promise<Seen | undefined> {
    const found = look(this.spool, name)
    return found && { view: found.view, settled: isSettled(this.spool, found) }
  }

  async status(project: string | undefined, count: number): Promise<Overview> {
    const { tasks, ...rest } = readBoard(this.spool, duration('LOST_AFTER'))
    const wanted = (task: { project: string }) => project === undefined || task.project === project
    const ours = tasks.filter(wanted)
    const recent = ours.filter(task => task.state === 'over').reverse()
    const current = [...recent]
    for (const view of this.#history.views(wanted)) {
      if (recent.length >= count) break
      if (!recent.some(other => other.name === view.name)) recent.push({ ...view, wait: null })
    }
    const isNew = ours.length + recent.length === 0
    if (project !== undefined && isNew) mustKnow(this.spool, project)
    return {
      ...rest,
      waiting: ours.filter(task => task.state === 'waiting'),
      running: ours
        .filter(task => task.state === 'running')
        .map(task => ({ ...task, expected: this.#history.usualSeconds(task, current) })),
      held: heldChanges(this.spool).filter(change => project === undefined || change.project === project),
      recent: recent.sort((a, b) => (b.job?.ended ?? 0) - (a.job?.ended ?? 0)).slice(0, count),
      events: eventsWaiting(this.spool, rest.now, isNew ? 0 : LATE).filter(wanted),
    }
  }

  async subjects(tasks: readonly TaskView[]): Promise<ReadonlyMap<string, string>> {
    await this.#subjects.read(tasks)
    const pairs = tasks.map(task => [task.revision ?? '', this.#subjects.of(task)] as const)
    return new Map(pairs.filter((pair): pair is readonly [string, string] => pair[1] !== null))
  }

  async show(name: TaskId): Promise<TaskDetails | undefined> {
    const found = look(this.spool, name)
    if (!found) return undefined
    const { view, where } = found
    const wait =
      view.state === 'waiting'
        ? readBoard(this.spool, duration('LOST_AFTER')).tasks.find(task => task.name === name)?.wait
        : null
    return {
      ...view,
      wait: wait ?? null,
      commit: await this.#commit(view),
      taskDirectory: where.taskAt ?? null,
      jobDirectory: where.jobAt ?? null,
      artifactFiles: view.job?.artifacts && where.jobAt ? filesBelow(join(where.jobAt, JOB.artifacts)) : [],
      lastLines: await lastLinesOf(view, where.jobAt, TOLD_LINES),
    }
  }

  async #commit({ project, revision }: TaskView) {
    const repository = repositoryOf(this.spool, project)
    if (repository === undefined || revision === null) return null
    const { readCommits } = await import('../../lib/git/commit.ts')
    return (await readCommits(repository, [revision])).get(revision) ?? null
  }

  async log({ name }: TaskView, step: string): Promise<StepLog> {
    const jobAt = whereIs(this.spool, name)?.jobAt
    if (jobAt === undefined) return { out: undefined, err: undefined }
    return openStepLog(file => fileBytes(join(stepDirectory(jobAt, step), file)))
  }

  async approve(change: HeldChange): Promise<boolean> {
    return approve(this.spool, change)
  }

  async cancel(asked: TaskId): Promise<Cancelled> {
    const { name, refused } = cancelLast(this.spool, asked)
    return { name, refused: refused?.message ?? null }
  }

  async retry(name: TaskId): Promise<TaskId> {
    return retryLast(this.spool, name)
  }
}

function mustKnow(spool: Spool, project: string): void {
  if (!knownProjects(spool).includes(project)) throw noSuchProject(spool, project)
}

function filesBelow(directory: string | Buffer, shown = ''): { path: string; bytes: number }[] {
  const entries =
    ignoringENOENT(() => readdirSync(directory, { withFileTypes: true, encoding: 'buffer' })) ?? []
  const files = entries.flatMap(entry => {
    const [at, path] = [bytePath(directory, entry.name), shown + shownName(entry.name)]
    if (entry.isDirectory()) return filesBelow(at, `${path}/`)
    return entry.isFile() ? [{ path, bytes: ignoringENOENT(() => statSync(at).size) ?? 0 }] : []
  })
  return files.sort((a, b) => (a.path < b.path ? -1 : 1))
}
