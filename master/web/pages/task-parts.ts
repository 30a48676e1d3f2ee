// Parts of pages that stand for one task: its name as a link, its time, its steps as blocks.

import { formatSeconds } from '../../../lib/base/text.ts'
import { beginOf } from '../../../lib/view/view.ts'
import type { StepView, TaskView } from '../../../lib/view/view.ts'
import { html } from '../../../lib/web/html.ts'
import type { Html } from '../../../lib/web/html.ts'
import { changeTitle } from './change.ts'
import { targetOf } from '../../../lib/spool/task-name.ts'
import { jobPath, logPath, seconds, shortRef, since } from './page.ts'
import { signOf, wordFor } from './status.ts'

/** A task by its number, project, change or subject, branch, target and check; without a subject, by its version. */
export const taskLink = (task: TaskView, subject?: string): Html =>
  html`<a class="task" href="${jobPath(task)}"
    ><span class="num">#${task.num}</span> ${task.project}
    ${changeTitle(task) ?? (subject !== undefined && html`<bdi>${subject}</bdi>`)}
    ${subject === undefined ? html`<code>${task.version}</code>` : task.params['CHANGE'] === undefined && task.ref !== null && html`<span class="ref">${shortRef(task.ref)}</span>`}
    ${targetOf(task)} ${task.label !== null && html`<bdi>${task.label}</bdi>`}</a
  >`

/** How long its job took, or takes until now. */
export function durationOf({ job }: TaskView): Html | string {
  if (!job) return ''
  return job.verdict === null ? since(beginOf(job)) : seconds(job.seconds)
}

/** The steps of a job as small blocks, each a link to its log. */
export function blocks(task: TaskView): Html | false {
  const steps = task.job?.steps ?? []
  if (steps.length === 0) return false
  return html`<span class="steps">${steps.map(step => block(task, step))}</span>`
}

function block(task: TaskView, step: StepView): Html {
  const time =
    step.seconds === null
      ? step.state === 'running'
        ? since(step.started)
        : ''
      : formatSeconds(step.seconds)
  return html`<a
    class="step s-${step.state}"
    href="${logPath(task, step.name)}"
    title="${step.name}: ${wordFor(step.state)}"
    >${signOf(step.state)}<span class="step-name">${step.name}</span
    ><span class="hidden"> ${wordFor(step.state)} </span> ${time}</a
  >`
}
