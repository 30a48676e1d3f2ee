// The check that a forge shows for a job: its name, state and description. Pure.

import { targetOf } from '../../lib/spool/task-name.ts'
import { formatSeconds, harmlessLine } from '../../lib/base/text.ts'
import type { Status } from '../../lib/forge/api.ts'
import { contextOf, isOfTestfile, NOTHING_TO_TEST } from '../../lib/testfile/check-name.ts'
import type { Naming } from '../../lib/testfile/check-name.ts'
import { decisiveStep } from '../../lib/view/view.ts'
import type { TaskView } from '../../lib/view/view.ts'
import type { Notice } from './notice.ts'

/** A line that says why something failed, in most tools' words. */
const CAUSE =
  /\b(?:error|errors|fatal|panic|failed|failure|exception|assert\w*|not ok|undefined|cannot|unable)\b/i

/** Returns the check of a notice; undefined if there is none. `why` is the reason for which a task waits, where it is known. */
export function checkOf(
  notice: Notice,
  naming: Naming,
  why?: string,
): Omit<Status, 'sha' | 'url'> | undefined {
  const { task } = notice
  const context = contextOf(task.label, targetOf(task), naming)
  if (notice.stage === 'waiting') return { context, state: 'pending', description: queuedText(task, why) }
  if (notice.stage === 'running') {
    return { context, state: 'running', description: `running on ${task.job?.host ?? 'a host'}` }
  }
  // It runs again, as another task, which is told of by itself.
  if (task.job?.verdict === 'lost' && task.job.retriedAs !== null) return undefined
  return { context, state: checkState(task), description: overText(notice) }
}

const queuedText = ({ arch, host, retryOf }: TaskView, why: string | undefined): string =>
  `queued: ${retryOf ? 'again; ' : ''}${why ?? `for ${host === null ? `a taker of ${arch}` : `the host ${host}`}`}`

function checkState({ job }: TaskView): Status['state'] {
  if (job?.verdict === 'success' || job?.verdict === 'failure') return job.verdict
  return job?.verdict === 'cancelled' ? 'cancelled' : 'error'
}

function overText({ task: { job, label }, lastLines }: Notice): string {
  if (!job) return 'over'
  if (job.verdict === 'success' && label !== null && isOfTestfile(label)) return NOTHING_TO_TEST.says
  const time = job.seconds === null ? '' : ` after ${formatSeconds(job.seconds)}`
  if (job.verdict === 'success') return `passed${time}`
  if (job.verdict === 'cancelled' || job.verdict === 'lost') return `${job.verdict}${time}`
  const word = job.verdict === 'timeout' ? 'timeout' : ''
  const step = decisiveStep(job)?.name ?? ''
  const cause = job.error ?? causeIn(lastLines.map(({ text }) => text))
  const parts = [word, step, cause].filter(part => part !== '')
  return parts.length > 0 ? parts.join(': ') : `${job.verdict}${time}`
}

/** The first line that looks like the cause, else the last that says anything. */
function causeIn(lines: readonly string[]): string {
  const clean = lines
    .map(line => harmlessLine(line, false).replace(/\s+/g, ' ').trim())
    .filter(line => line !== '')
  return clean.find(line => CAUSE.test(line)) ?? clean.at(-1) ?? ''
}
