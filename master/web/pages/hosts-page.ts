// Which hosts there are, and of one host: its takers, what it runs, what it ran.

import { numberOf } from '../../../lib/spool/task-name.ts'
import { formatBytes } from '../../../lib/base/text.ts'
import { NOBODY } from '../../../lib/view/takers.ts'
import type { MachineView, TakerView } from '../../../lib/view/takers.ts'
import type { TaskView } from '../../../lib/view/view.ts'
import { html } from '../../../lib/web/html.ts'
import type { Html } from '../../../lib/web/html.ts'
import { age, hostPath, jobPath, page, withQuery } from './page.ts'
import type { Visit } from './page.ts'
import { scrollTable } from './table.ts'
import { boardOf } from '../site/board.ts'
import type { Site } from '../site/site.ts'
import { badgeOf, signOf, stateOf } from './status.ts'
import { blocks, durationOf, taskLink } from './task-parts.ts'

/** Jobs of a page. */
const ROWS = 50

const TITLES = { taker: 'Takers', worker: 'Workers' } as const

const SIGN = { idle: 'waiting', busy: 'running', stopped: 'gone', silent: 'lost' } as const

export function hostsPage(visit: Visit, site: Site): Html {
  const { takers, running } = boardOf(site)
  const names = [...new Set([...takers.map(taker => taker.host), ...site.index.hosts()])].sort()
  return page(
    visit,
    { title: 'Hosts', trail: [{ text: 'Hosts' }], live: true },
    html`<h1>Hosts</h1>
      <div data-part="hosts">
        ${
          names.length === 0
            ? html`<div class="empty">
                <p><strong>No ${site.crew} ${NOBODY[site.crew]}.</strong></p>
                <p>
                  A machine appears here when a
                  <code>${site.crew === 'taker' ? 'task-taker' : site.crew}</code> starts on it.
                </p>
              </div>`
            : scrollTable(
                'Hosts',
                'plain',
                ['Host', TITLES[site.crew], 'Runs'],
                names.map(
                  name =>
                    html`<tr data-row="">
                      <th scope="row"><a href="${hostPath(name)}">${name}</a></th>
                      <td>
                        ${takerWords(
                          takers.filter(taker => taker.host === name),
                          visit,
                        )}
                      </td>
                      <td>
                        ${running.filter(({ view }) => view.job?.host === name).map(({ view }) => html`<p>${taskLink(view)}</p>`)}
                      </td>
                    </tr>`,
                ),
              )
        }
      </div>`,
  )
}

function takerWords(takers: readonly TakerView[], visit: Visit): Html | string {
  if (takers.length === 0) return html`<span class="quiet">none now</span>`
  return html`<ul class="takers">
    ${takers.map(
      ({ arch, state, beat, fault, machine, version, slot, task }) =>
        html`<li>
          <span class="s-${SIGN[state]}">${signOf(SIGN[state])} ${state}</span> ${arch}
          ${fault !== null && html`<strong class="s-error">${fault}</strong>`}
          ${task !== null && html`<a href="${jobPath({ num: numberOf(task) })}">#${numberOf(task)}</a>`}
          <span class="quiet">${beat === null ? 'ended' : html`seen ${age(beat)}`}</span>
          ${machine !== null && html`<span class="quiet">${machineWords(machine)}</span>`}
          ${version !== null && html`<span class="quiet">${version}</span>`}
          ${visit.viewer.name !== undefined && slot !== null && html`<code>${slot}</code>`}
        </li>`,
    )}
  </ul>`
}

/** Its load beside what it can do at once, and the room on its disk. Pure. */
const machineWords = ({ load, cpus, diskFree, diskSize }: MachineView): string =>
  `load ${load.toFixed(1)} of ${cpus}, ${formatBytes(diskFree)} of ${formatBytes(diskSize)} free`

/** The page of one host; undefined if it is unknown. */
export function hostPage(visit: Visit, site: Site, host: string, before?: number): Html | undefined {
  const { takers, running } = boardOf(site)
  const mine = takers.filter(taker => taker.host === host)
  if (mine.length === 0 && !site.index.hosts().includes(host)) return undefined
  const { ran, more } = pastOf(site, host, before)
  const now = running.filter(({ view }) => view.job?.host === host)
  return page(
    visit,
    {
      title: `Host ${host}`,
      trail: [{ text: 'Hosts', href: '/hosts' }, { text: host }],
      live: before === undefined,
    },
    html`<h1>${host}</h1>
      <section aria-labelledby="takers" data-part="takers">
        <h2 id="takers">${TITLES[site.crew]}</h2>
        ${takerWords(mine, visit)}
      </section>
      <section aria-labelledby="runs" data-part="runs">
        <h2 id="runs">Runs now</h2>
        ${
          now.length === 0
            ? html`<p class="quiet">Nothing.</p>`
            : html`<ul class="running">
                ${now.map(({ view }) => html`<li data-row="">${taskLink(view)} ${durationOf(view)} ${blocks(view)}</li>`)}
              </ul>`
        }
      </section>
      <section aria-labelledby="ran" data-part="ran">
        <h2 id="ran">Ran</h2>
        ${ran.length === 0 ? html`<p class="quiet">Nothing yet.</p>` : jobsTable(ran)}
        <nav class="pages" aria-label="Pages">
          ${before !== undefined && html`<a href="${hostPath(host)}">Newest</a>`}
          ${more && html`<a rel="next" href="${withQuery(hostPath(host), { before: ran.at(-1)!.num })}">Older</a>`}
        </nav>
      </section>`,
  )
}

function pastOf(site: Site, host: string, before?: number): { ran: TaskView[]; more: boolean } {
  const ran: TaskView[] = []
  for (const row of site.index.rows({ host }, before)) {
    const view = site.view(site.index.entry(row))
    if (view?.state !== 'over') continue
    if (ran.length === ROWS) return { ran, more: true }
    ran.push(view)
  }
  return { ran, more: false }
}

const jobsTable = (views: readonly TaskView[]): Html =>
  scrollTable(
    'Jobs',
    'plain',
    ['Job', 'Verdict', 'Steps', 'Time', 'Ended'],
    views.map(
      view =>
        html`<tr data-row="">
          <th scope="row">${taskLink(view)}</th>
          <td>${badgeOf(stateOf(view))}</td>
          <td>${blocks(view)}</td>
          <td>${durationOf(view)}</td>
          <td>${age(view.job?.ended ?? null)}</td>
        </tr>`,
    ),
  )
