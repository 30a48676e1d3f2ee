// Files of one task and one job in the showcase, as a spool has them.

import { mkdirSync, renameSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { ignoringENOENT } from '../../lib/base/errno.ts'
import { formatLabel } from '../../lib/base/tai64n.ts'
import { isFilePath } from '../../lib/farm/protocol.ts'
import { JOB, STEP, TASK, formatEnd, stepDirectory } from '../../lib/spool/job-files.ts'
import { formatOwner } from '../../lib/spool/job.ts'
import { makeDirectories } from '../../lib/system/directories.ts'
import type { StepView } from '../../lib/view/view.ts'
import { taskNameOf } from './rows.ts'
import type { JobRow } from './rows.ts'

/** Lays a task out at `task`; `hidden` is a place of the same file system where nobody looks. */
export function putTask(row: JobRow, task: string, hidden: string): void {
  mkdirSync(hidden)
  const put = (file: string, text: string) => writeAt(join(hidden, file), text, row.made)
  put(TASK.revision, row.revision + '\n')
  put('code-version.txt', row.version + '\n')
  put(TASK.ref, row.ref + '\n')
  put(TASK.label, row.label + '\n')
  if (row.priority !== 0) put('priority', `${row.priority}\n`)
  const change = { TITLE: row.title, AUTHOR: row.author, URL: row.url }
  const params = { CHECK: row.label, ...change, ...row.params }
  const lines = Object.entries(params).filter((pair): pair is [string, string] => !!pair[1])
  put(TASK.params, lines.map(([key, value]) => `${key}=${value.replace(/[\r\n]/g, ' ')}\n`).join(''))
  if (row.retry_of !== null) {
    put(TASK.retryOf, `${taskNameOf(row, row.retry_of)} user 0\n`)
  }
  renameSync(hidden, task)
}

/** Lays a job out, or brings it up to date. */
export function putJob(row: JobRow, job: string): void {
  const made = ignoringENOENT(() => statSync(job)) === undefined
  makeDirectories(job)
  if (made) {
    const [host, slot, token] = [row.worker_host ?? '', row.worker_slot ?? '', row.attempt ?? '']
    const owner = { host, boot: '', slot, pid: 0, start: '', namespace: '', token }
    writeAt(join(job, JOB.owner), formatOwner(owner), row.started ?? row.made)
    writeFileSync(join(job, JOB.host), host + '\n')
    writeFileSync(join(job, JOB.alive), '')
  }
  for (const step of row.steps) putStep(job, step)
  const { place, notes = [] } = row.about ?? {}
  if (place !== undefined) writeFileSync(join(job, JOB.place), place + '\n')
  if (notes.length > 0) writeFileSync(join(job, JOB.notes), notes.join('\n') + '\n')
}

/** Says how the attempt before was lost. */
export function putLoss({ loss }: JobRow, task: string): void {
  if (loss !== null) writeFileSync(join(task, TASK.loss), loss + '\n')
}

function putStep(job: string, step: StepView): void {
  const directory = stepDirectory(job, step.name)
  if (!isFilePath(step.name) || step.name.includes('/')) return
  makeDirectories(directory)
  const label = (time: number) => `${formatLabel(time)}\n`
  if (step.started !== null) writeFileSync(join(directory, STEP.started), label(step.started))
  if (step.ended !== null) writeFileSync(join(directory, STEP.ended), label(step.ended))
  const end = endOf(step)
  if (end !== undefined) writeFileSync(join(directory, STEP.exit), end)
}

function endOf({ state, exit, signal }: StepView): string | undefined {
  if (state === 'timeout') return formatEnd('timeout')
  if (signal !== null) return formatEnd({ signal })
  return exit === null ? undefined : formatEnd({ code: exit })
}

/** What went wrong, as a page shows it. */
export const asSentence = (text: string): string =>
  `${text[0]?.toUpperCase() ?? ''}${text.slice(1)}${text.endsWith('.') ? '' : '.'}\n`

/** Writes a file as of this time. */
export function writeAt(path: string, text: string, time: Date): void {
  writeFileSync(path, text)
  utimesSync(path, time, time)
}
