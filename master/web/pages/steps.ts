// The steps of a job on a line of time.

import type { StepView, TaskView } from '../../../lib/view/view.ts'
import { html } from '../../../lib/web/html.ts'
import type { Html } from '../../../lib/web/html.ts'
import { lastLike } from '../site/board.ts'
import type { Site } from '../site/site.ts'
import { logPath, seconds, since } from './page.ts'
import { badgeOf } from './status.ts'

/** The steps of a job, each when it ran; while it runs, also those that are to come if it goes as last time. */
export function stepsSection(site: Site, view: TaskView): Html {
  const steps = view.job?.steps ?? []
  const begin = Math.min(...steps.map(step => step.started ?? Infinity))
  const coming = view.state === 'running' ? stepsToCome(site, view) : []
  const end = Math.max(begin + 1, ...steps.map(step => step.ended ?? Date.now()))
  return html`<section aria-labelledby="steps" data-part="steps">
    <h2 id="steps">Steps</h2>
    ${
      steps.length + coming.length === 0
        ? html`<p class="quiet">No step has started.</p>`
        : html`<table class="timeline">
            <thead class="hidden">
              <tr>
                <th scope="col">Step</th>
                <th scope="col">Result</th>
                <th scope="col">Time</th>
                <th scope="col">When</th>
              </tr>
            </thead>
            <tbody>
              ${steps.map(
                step =>
                  html`<tr data-row="">
                    <th scope="row"><a href="${logPath(view, step.name)}">${step.name}</a></th>
                    <td>${badgeOf(step.state)}${exitOf(step)}</td>
                    <td class="time">
                      ${step.seconds === null ? since(step.started) : seconds(step.seconds)}
                    </td>
                    <td class="bar">${bar(step, begin, end)}</td>
                  </tr>`,
              )}
              ${coming.map(
                ({ name, seconds: span }) =>
                  html`<tr class="coming">
                    <th scope="row">${name}</th>
                    <td>to come</td>
                    <td class="time">${span !== null && html`about ${seconds(span)}`}</td>
                    <td></td>
                  </tr>`,
              )}
            </tbody>
          </table>`
    }
  </section>`
}

/** The steps of the last success behind those that have started. */
function stepsToCome(site: Site, view: TaskView): readonly StepView[] {
  const started = (view.job?.steps ?? []).map(({ name }) => name)
  const before = lastLike(site, view)?.job?.steps ?? []
  const at = before.findLastIndex(({ name }) => started.includes(name))
  return started.length > 0 && at < 0 ? [] : before.slice(at + 1)
}

function exitOf({ exit, signal, state }: StepView): string {
  if (signal !== null) return `, SIG${signal}`
  return exit !== null && state === 'failure' ? `, exit ${exit}` : ''
}

/** When a step ran, of the whole, as a bar. */
function bar(step: StepView, begin: number, end: number): Html | string {
  if (step.started === null) return ''
  const part = (time: number) => Math.max(0, Math.min(100, ((time - begin) / (end - begin)) * 100))
  const x = part(step.started)
  const width = Math.max(0.6, part(step.ended ?? Date.now()) - x)
  return html`<svg class="s-${step.state}" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
    <rect x="${Math.min(x, 99.4).toFixed(2)}" y="1" width="${width.toFixed(2)}" height="8" />
  </svg>`
}
