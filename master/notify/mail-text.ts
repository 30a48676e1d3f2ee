// Formats a notice as a mail. Pure. Text of others stands on lines of its own, without control characters.

import { createHash } from 'node:crypto'

import { counted, formatSeconds, harmless, harmlessLine } from '../../lib/base/text.ts'
import { decisiveStep, pusherOf } from '../../lib/view/view.ts'
import type { StepView, TaskView } from '../../lib/view/view.ts'
import type { Notice } from './notice.ts'

/** The message for nodemailer, without its recipients. */
export interface MailText {
  readonly subject: string
  readonly text: string
  readonly date: Date
  readonly messageId: string
  readonly inReplyTo: string
  readonly references: string
  readonly headers: Readonly<Record<string, string>>
}

/** The longest line of a log that is quoted. */
const QUOTED_LINE_MAX = 300

/** `from` is who sends it: the part behind its `@` makes message ids. */
export function mailOf(notice: Notice, from: string): MailText {
  const domain = from.replace(/^.*@/, '').replace(/[^A-Za-z0-9.-]/g, '')
  const thread = `<${threadOf(notice.task)}@${domain}>`
  return {
    subject: `[${notice.task.project}] ${subjectOf(notice)}`,
    text: paragraphs(notice).join('\n\n') + '\n',
    date: new Date(notice.at ?? 0),
    messageId: `<${notice.id}@${domain}>`,
    // No mail has this id: those that name it stand together, whichever of them arrived.
    inReplyTo: thread,
    references: thread,
    headers: { 'X-Bass-Delivery': notice.id, 'Auto-Submitted': 'auto-generated' },
  }
}

/** The same for all of one ref of one project. */
function threadOf({ project, ref }: TaskView): string {
  return `${project}.${createHash('sha256')
    .update(`${project}\n${ref ?? ''}`)
    .digest('hex')
    .slice(0, 16)}`
}

const targetOf = ({ arch, host }: TaskView) => (host === null ? arch : `${arch} on ${host}`)
/** The name of its check, if it has one, with what stands behind it. */
const labelOf = ({ label }: TaskView, behind: string) => (label ? harmlessLine(label, false) + behind : '')
const shortRef = ({ ref }: TaskView) => harmless((ref ?? '').replace(/^refs\/(heads|tags)\//, ''))

function subjectOf({ stage, task, change }: Notice): string {
  const word = stage !== 'over' ? stage : change === 'mended' ? 'mended' : (task.job?.verdict ?? 'over')
  const ref = task.ref === null ? '' : `${shortRef(task)}, `
  return `${word}: ${labelOf(task, ', ')}${ref}${task.version}, ${targetOf(task)}`
}

function paragraphs(notice: Notice): string[] {
  const { task, url, lastLines, commits } = notice
  const { pusher, params } = pusherOf(task)
  const first = lastLines[0]
  return [
    [headline(notice), ...changeLine(notice)].join('\n'),
    task.job?.error == null ? '' : harmless(task.job.error),
    commits
      .map(({ author, email, subject, revision }) =>
        [
          `${revision.slice(0, 10)} ${harmless(subject)}`,
          `           ${harmless(`${author} <${email}>`)}`,
        ].join('\n'),
      )
      .join('\n'),
    first === undefined
      ? ''
      : [
          `The end of ${harmless(first.step)}:`,
          '',
          ...lastLines.map(({ text }) => `    ${harmlessLine(text, false).slice(0, QUOTED_LINE_MAX)}`),
        ].join('\n'),
    [
      `task      ${task.name}`,
      ...(task.ref === null ? [] : [`ref       ${harmless(task.ref)}`]),
      ...(task.revision === null ? [] : [`revision  ${harmless(task.revision)}`]),
      ...(pusher === undefined ? [] : [`pusher    ${harmless(pusher)}`]),
      ...Object.entries(params).map(([key, value]) => `param     ${harmless(`${key}=${value}`)}`),
      ...(url === null ? [] : [`page      ${url}`]),
    ].join('\n'),
  ].filter(part => part !== '')
}

function headline({ stage, task }: Notice): string {
  const what = `${task.project} ${labelOf(task, ' ')}${task.version} on ${targetOf(task)}`
  const { job } = task
  if (stage === 'waiting') return `${what} waits for a taker.`
  if (stage === 'running') return `${what} runs${job?.host == null ? '' : ` on ${harmless(job.host)}`}.`
  const step = job && decisiveStep(job)
  const how = step && job.verdict !== 'success' ? `: ${tellStep(step)}` : ''
  const after = job?.seconds == null ? '' : ` after ${formatSeconds(job.seconds)}`
  return `${what} ended${after} with ${job?.verdict ?? 'no verdict'}${how}.`
}

function tellStep({ name, state, exit, signal }: StepView): string {
  const how = signal !== null ? `ended by SIG${signal}` : exit === null ? state : `exit ${exit}`
  return `${harmless(name)} (${how})`
}

function changeLine({ change, task, commits }: Notice): string[] {
  const of = `${labelOf(task, ' of ')}${task.ref === null ? task.project : shortRef(task)} on ${targetOf(task)}`
  if (change === 'mended') return [`It is mended: the last verdict of ${of} before was no success.`]
  if (change === null) return []
  const since = commits.length > 1 ? `; ${counted(commits.length, 'commit')} since` : ''
  return [`It is the first failure of ${of}${since}.`]
}
