// A table that scrolls by itself where the page is too narrow for it.

import { html } from '../../../lib/web/html.ts'
import type { Html } from '../../../lib/web/html.ts'

/** `name` is what it shows, for those who do not see it; `columns` are their headings. */
export const scrollTable = (
  name: string,
  style: string,
  columns: readonly string[],
  rows: readonly Html[],
): Html =>
  html`<div class="scroll" role="region" aria-label="${name}" tabindex="0">
    <table class="${style}">
      <thead>
        <tr>
          ${columns.map(column => html`<th scope="col">${column}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>
  </div>`
