// The form that chooses among all tasks, and what it asks for.

import { html } from '../../../lib/web/html.ts'
import type { Html } from '../../../lib/web/html.ts'
import type { Filter } from '../site/filter.ts'
import type { Site } from '../site/site.ts'
import { STATES } from '../site/states.ts'
import { shortRef } from './page.ts'
import { wordFor } from './status.ts'

/** Refs that a filter offers: those pushed last, the newest first. */
const REFS_LISTED = 100

/** A filter as the query of a link. */
export const queryOf = ({ ref, state, arch, host, text }: Filter): Record<string, string> =>
  Object.fromEntries(
    Object.entries({ ref, verdict: state, arch, host, q: text }).filter(
      (entry): entry is [string, string] => entry[1] !== undefined,
    ),
  )

export function filterForm(site: Site, base: string, filter: Filter): Html {
  const archs = [...new Set(site.index.targets().map(target => target.split(':', 1)[0]!))]
  const select = (
    label: string,
    name: string,
    values: readonly string[],
    current = '',
    show = (x: string) => x,
  ) =>
    html`<label
      ><span>${label}</span
      ><select name="${name}">
        <option value="">any</option>
        ${(values.includes(current) || current === '' ? values : [...values, current]).map(
          value =>
            html`<option value="${value}" ${value === current ? html`selected=""` : ''}>
              ${show(value)}
            </option>`,
        )}
      </select></label
    >`
  const states = STATES.filter(state => state !== 'unread')
  return html`<form class="filter" method="get" action="${base}" role="search">
    <label class="find"
      ><span>Version, commit, change or author</span
      ><input
        type="search"
        name="q"
        value="${filter.text}"
        data-find=""
        autocomplete="off"
        spellcheck="false"
    /></label>
    ${select('Ref', 'ref', site.index.refs(REFS_LISTED, { project: filter.project }), filter.ref, shortRef)}
    ${select('State', 'verdict', states, filter.state, state => wordFor(state as (typeof STATES)[number]))}
    ${select('Architecture', 'arch', archs, filter.arch)}
    ${select('Host', 'host', site.index.hosts(), filter.host)}
    <button>Filter</button>
    ${Object.keys(queryOf(filter)).length > 0 && html`<a href="${base}">Clear</a>`}
  </form>`
}
