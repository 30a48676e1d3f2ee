// The artifacts of a job, a directory at a time.

import { formatBytes } from '../../../lib/base/text.ts'
import type { TaskView } from '../../../lib/view/view.ts'
import { html } from '../../../lib/web/html.ts'
import type { Html } from '../../../lib/web/html.ts'
import type { Artifact } from '../site/job-files.ts'
import { jobPath, page, projectPath } from './page.ts'
import type { Visit } from './page.ts'

/** A link to all artifacts as one archive. */
export const downloadAll = (view: TaskView): Html =>
  html`<a href="${jobPath(view)}/artifacts.tar" download="">Download all</a> <span class="quiet">.tar</span>`

export function artifactsPage(
  visit: Visit,
  view: TaskView,
  path: string,
  entries: readonly Artifact[],
): Html {
  const parts = path.split('/').filter(part => part !== '')
  const base = `${jobPath(view)}/artifacts/`
  const linkTo = (names: readonly string[]) =>
    base + names.map(name => `${encodeURIComponent(name)}/`).join('')
  const here = linkTo(parts)
  return page(
    visit,
    {
      title: `Artifacts of #${view.num}`,
      trail: [
        { text: view.project, href: projectPath(view.project) },
        { text: `#${view.num}`, href: jobPath(view) },
        { text: 'Artifacts', href: base },
        ...parts.map((text, i) => ({ text, href: linkTo(parts.slice(0, i + 1)) })),
      ],
    },
    html`<h1>Artifacts${parts.length > 0 && `: ${parts.join('/')}`}</h1>
      ${parts.length === 0 && entries.length > 0 && html`<p class="facts">${downloadAll(view)}</p>`}
      ${entries.length === 0 && html`<p class="empty">There is nothing here.</p>`}
      <ul class="files">
        ${entries.map(
          ({ name, size }) =>
            html`<li data-row="">
              <a href="${here}${encodeURIComponent(name)}${size === null ? '/' : ''}"
                >${name}${size === null ? '/' : ''}</a
              >
              ${size !== null && html`<span class="quiet">${formatBytes(size)}</span>`}
            </li>`,
        )}
      </ul>`,
  )
}
