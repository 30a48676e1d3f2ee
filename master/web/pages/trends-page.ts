// How the steps of a project do over time: how long they take, how often they pass, and which ones cannot make up their
// mind about one and the same revision.

import { setImmediate as turn } from 'node:timers/promises'

import { counted, formatSeconds } from '../../../lib/base/text.ts'
import type { StepView, TaskView } from '../../../lib/view/view.ts'
import { html } from '../../../lib/web/html.ts'
import type { Html } from '../../../lib/web/html.ts'
import { targetOf } from '../../../lib/spool/task-name.ts'
import { jobPath, page, projectPath } from './page.ts'
import type { Visit } from './page.ts'
import { scrollTable } from './table.ts'
import type { Site } from '../site/site.ts'
import { wordFor } from './status.ts'

/** Jobs that are looked at, and of these the last ones of each step that are drawn. */
const TREND_JOBS = 400
const DRAWN = 60

interface Run {
  readonly task: TaskView
  readonly step: StepView
}

/** All runs of one step on one target, oldest first. */
interface Trend {
  readonly target: string
  readonly step: string
  readonly runs: readonly Run[]
}

interface Flaky {
  readonly target: string
  readonly step: string
  /** Of each revision with both verdicts a failure and a success. */
  readonly both: readonly { readonly version: string; readonly failed: TaskView; readonly passed: TaskView }[]
}

export async function trendsPage(visit: Visit, site: Site, project: string): Promise<Html> {
  const jobs: TaskView[] = []
  for (const row of site.index.rows({ project })) {
    const view = site.view(site.index.entry(row))
    if (view?.job?.verdict) jobs.push(view)
    if (jobs.length === TREND_JOBS) break
    if (jobs.length % 20 === 19) await turn()
  }
  const trends = trendsOf(jobs.reverse())
  const flaky = trends.map(flakyOf).filter(({ both }) => both.length > 0)
  const targets = [...new Set(trends.map(({ target }) => target))].sort()
  return page(
    visit,
    {
      title: `Trends of ${project}`,
      trail: [{ text: project, href: projectPath(project) }, { text: 'Trends' }],
    },
    html`<h1>Trends of ${project}</h1>
      <section aria-labelledby="flaky">
        <h2 id="flaky">Flaky steps</h2>
        ${
          flaky.length === 0
            ? html`<p class="quiet">
                None: no step passed and failed for the same revision in the last
                ${counted(jobs.length, 'job')}.
              </p>`
            : html`<ul class="flaky">
                ${flaky.map(flakyItem)}
              </ul>`
        }
      </section>
      ${targets.map(
        target =>
          html`<section>
            <h2 class="name">${target}</h2>
            ${scrollTable(
              `Steps of ${target}`,
              'plain trends',
              ['Step', 'Passed', 'Usually', 'At most', 'Last runs, the newest on the right'],
              rowsOf(trends.filter(trend => trend.target === target)),
            )}
          </section>`,
      )}
      ${trends.length === 0 && html`<p class="empty">No step has run yet.</p>`}`,
  )
}

/** Pure. */
export function trendsOf(jobs: readonly TaskView[]): Trend[] {
  const trends = new Map<string, { target: string; step: string; runs: Run[] }>()
  for (const task of jobs) {
    for (const step of task.job?.steps ?? []) {
      const target = targetOf(task)
      const key = `${target}\0${step.name}`
      let trend = trends.get(key)
      if (!trend) trends.set(key, (trend = { target, step: step.name, runs: [] }))
      trend.runs.push({ task, step })
    }
  }
  return [...trends.values()].sort((a, b) => (a.step < b.step ? -1 : a.step > b.step ? 1 : 0))
}

const passed = ({ step }: Run) => step.state === 'success'
const failed = ({ step }: Run) => step.state === 'failure' || step.state === 'timeout'

/** The revisions for which a step both passed and failed. Pure. */
export function flakyOf({ target, step, runs }: Trend): Flaky {
  const both: { version: string; failed: TaskView; passed: TaskView }[] = []
  for (const version of new Set(runs.map(({ task }) => task.version))) {
    const those = runs.filter(({ task }) => task.version === version)
    const [bad, good] = [those.findLast(failed), those.findLast(passed)]
    if (bad && good) both.push({ version, failed: bad.task, passed: good.task })
  }
  return { target, step, both: both.reverse() }
}

const flakyItem = ({ target, step, both }: Flaky): Html =>
  html`<li>
    <strong>${step}</strong> on ${target}: both verdicts for ${counted(both.length, 'revision')},
    ${both
      .slice(0, 5)
      .map(
        ({ version, failed, passed }, i) =>
          html`${i > 0 && ', '}<code>${version}</code> (<a href="${jobPath(failed)}">#${failed.num} failed</a
            >, <a href="${jobPath(passed)}">#${passed.num} passed</a>)`,
      )}
  </li>`

/** Each job has the same position in all charts of a target, the newest one on the right. */
function rowsOf(trends: readonly Trend[]): Html[] {
  const nums = new Set(trends.flatMap(({ runs }) => runs.map(({ task }) => task.num)))
  const newest = [...nums].sort((a, b) => b - a).slice(0, DRAWN)
  const places = new Map(newest.map((num, i) => [num, DRAWN - 1 - i]))
  return trends.map(trend => trendRow(trend, places))
}

function trendRow({ step, runs }: Trend, places: ReadonlyMap<number, number>): Html {
  // A cancelled run says nothing of the step.
  const decided = runs.filter(run => passed(run) || failed(run))
  const good = decided.filter(passed)
  const times = good.map(run => run.step.seconds).filter(span => span !== null)
  const drawn = runs.filter(({ task }) => places.has(task.num))
  const usual = times.sort((a, b) => a - b)[times.length >> 1]
  return html`<tr data-row="">
    <th scope="row">${step}</th>
    <td class="num">
      ${decided.length > 0 && `${Math.round((100 * good.length) / decided.length)} %`}
      <span class="quiet">${good.length} of ${decided.length}</span>
    </td>
    <td class="num">${usual !== undefined && formatSeconds(usual)}</td>
    <td class="num">
      ${drawn.some(run => decided.includes(run)) && formatSeconds(longest(drawn.filter(run => decided.includes(run))))}
    </td>
    <td class="runs">${chart(step, drawn, places)}</td>
  </tr>`
}

const longest = (runs: readonly Run[]): number => Math.max(0, ...runs.map(({ step }) => step.seconds ?? 0))

const [BAR, GAP, HEIGHT] = [7, 2, 36]

/** A bar for each run, its height the duration; a failed one has a cap, so that colour is not the only difference. */
function chart(name: string, runs: readonly Run[], places: ReadonlyMap<number, number>): Html {
  const most = Math.max(0.001, longest(runs))
  const width = DRAWN * (BAR + GAP)
  const good = runs.filter(passed).length
  return html`<svg
    class="chart"
    viewBox="0 0 ${width} ${HEIGHT}"
    width="${width}"
    height="${HEIGHT}"
    role="img"
    aria-label="The last ${runs.length} runs of ${name}: ${good} passed, the longest took ${formatSeconds(most)}"
  >
    <line class="axis" x1="0" y1="${HEIGHT - 0.5}" x2="${width}" y2="${HEIGHT - 0.5}" />
    ${runs.map(({ task, step }) => {
      const x = places.get(task.num)! * (BAR + GAP)
      const high = Math.max(2, ((step.seconds ?? 0) / most) * (HEIGHT - 6))
      const y = HEIGHT - high
      return html`<g class="s-${step.state}">
        <title>
          #${task.num} ${wordFor(step.state)} ${step.seconds === null ? '' : formatSeconds(step.seconds)}
        </title>
        <rect class="touch" x="${x}" y="0" width="${BAR + GAP}" height="${HEIGHT}" />
        <rect x="${x}" y="${y.toFixed(1)}" width="${BAR}" height="${high.toFixed(1)}" rx="1" />
        ${failed({ task, step }) && html`<path d="M${x} ${(y - 5).toFixed(1)}l${BAR} 3.5M${x + BAR} ${(y - 5).toFixed(1)}l-${BAR} 3.5" />`}
      </g>`
    })}
  </svg>`
}
