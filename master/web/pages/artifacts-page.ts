// The artifacts of a job, a directory at a time.

import { formatBytes } from '../../../lib/base/text.ts'
import type { TaskView } from '../../../lib/view/view.ts'
import { typeOf } from '../../../lib/web/foreign.ts'
import { html } from '../../../lib/web/html.ts'
import type { Html } from '../../../lib/web/html.ts'
import type { Artifact } from '../site/job-files.ts'
import { jobPath, page, projectPath } from './page.ts'
import type { Visit } from './page.ts'

/** The beginning of a text. */
export interface Preview {
  readonly name: string
  readonly text: string
  /** True if there is more of it. */
  readonly cut: boolean
}

/** Pictures and texts that are shown of a directory, and how large a picture may be. */
const PICTURES = 12
const TEXTS = 8
const PICTURE_MAX = 4 << 20

/** A link to all artifacts as one archive. */
export const downloadAll = (view: TaskView): Html =>
  html`<a href="${jobPath(view)}/artifacts.tar" download="">Download all</a> <span class="quiet">.tar</span>`

export function artifactsPage(
  visit: Visit,
  view: TaskView,
  path: string,
  entries: readonly Artifact[],
  texts: readonly Preview[],
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
      </ul>
      ${pictures(here, entries)} ${texts.map(textOf)}`,
  )
}

/** The pictures of a directory; what a browser does with one it fetches as its own. */
function pictures(here: string, entries: readonly Artifact[]): Html | false {
  const shown = entries.filter(({ name, size }) => (size ?? Infinity) < PICTURE_MAX && isPicture(name))
  if (shown.length === 0) return false
  return html`<section aria-labelledby="pictures" class="pictures">
    <h2 id="pictures">Pictures</h2>
    ${shown.slice(0, PICTURES).map(
      ({ name }) =>
        html`<figure>
          <a href="${here}${encodeURIComponent(name)}"
            ><img src="${here}${encodeURIComponent(name)}" alt="${name}" loading="lazy"
          /></a>
          <figcaption>${name}</figcaption>
        </figure>`,
    )}
  </section>`
}

const isPicture = (name: string): boolean => typeOf(name)?.startsWith('image/') === true

/** The files of which the beginning is shown: those that are text by their names, the first of them. */
export const textsAmong = (entries: readonly Artifact[]): string[] =>
  entries
    .filter(({ name, size }) => (size ?? 0) > 0 && typeOf(name)?.startsWith('text/plain') === true)
    .slice(0, TEXTS)
    .map(({ name }) => name)

const textOf = ({ name, text, cut }: Preview): Html =>
  html`<details class="more">
    <summary>${name}</summary>
    <pre class="env" tabindex="0" aria-label="${name}">${text}${cut && '\n...'}</pre>
  </details>`
