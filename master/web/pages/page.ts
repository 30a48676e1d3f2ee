// The common parts of all pages: the frame, links, times, and names of places.

import { ago, formatSeconds } from '../../../lib/base/text.ts'
import { documentOf } from '../../../lib/web/document.ts'
import { html } from '../../../lib/web/html.ts'
import type { Html } from '../../../lib/web/html.ts'
import { iconPath, iconMarkOf } from './icon.ts'
import type { ShownState } from './status.ts'

/** The visitor of a page. */
export interface Viewer {
  /** Undefined for a visitor who may only read. */
  readonly name?: string
  /** The word that forms of this viewer carry. */
  readonly word?: string
  /** True if nothing here comes from a browser by itself, so that no other site can have sent it. */
  readonly direct?: boolean
}

/** The context in which a page is rendered. */
export interface Visit {
  readonly viewer: Viewer
  /** True if one may log in here. */
  readonly form: boolean
  /** The path and query of the page, to come back to. */
  readonly here: string
  /** Ends each link to a file of ours, so that a browser can keep it for ever. */
  readonly edition: string
}

interface Frame {
  readonly title: string
  /** How what it shows is, for its icon. */
  readonly state?: ShownState
  /** Where this page is: the pages above it and itself, the last one. */
  readonly trail?: readonly Crumb[]
  /** True if the page changes while one looks at it. */
  readonly live?: boolean
  /** A feed of what the page shows. */
  readonly feed?: string
}

interface Crumb {
  readonly text: string
  readonly href?: string
}

/** How often a page without scripts loads itself again while something runs, in seconds. */
const RELOAD = 10

/** A whole page. */
export function page(visit: Visit, frame: Frame, body: Html): Html {
  const { title, state, trail = [], live = false, feed } = frame
  return documentOf(
    `${title} · BASS`,
    html`<link
        rel="icon"
        href="${iconPath(state === undefined ? 'none' : iconMarkOf(state), visit.edition)}"
        type="image/svg+xml"
      />
      <link rel="stylesheet" href="/static/reporter.css?${visit.edition}" />
      <script type="module" src="/static/reporter.js?${visit.edition}"></script>
      ${
        feed !== undefined &&
        html`<link rel="alternate" type="application/atom+xml" href="${feed}" title="${title}" />`
      }
      ${live && html`<noscript><meta http-equiv="refresh" content="${RELOAD}" /></noscript>`}`,
    html`<a class="skip" href="#main">Skip to content</a>
      <header class="top">
        <nav aria-label="Where you are">
          <ol class="trail">
            <li><a class="home" href="/">BASS</a></li>
            ${trail.map(
              ({ text, href }, i) =>
                html`<li>
                  ${
                    href === undefined || i === trail.length - 1
                      ? html`<span aria-current="page">${text}</span>`
                      : html`<a href="${href}">${text}</a>`
                  }
                </li>`,
            )}
          </ol>
        </nav>
        <nav aria-label="Site" class="site">
          <a href="/hosts">Hosts</a>
          ${account(visit)}
        </nav>
      </header>
      <main id="main" tabindex="-1" ${live ? html`data-live=""` : ''}>${body}</main>
      <footer class="bottom">
        <p>
          <span class="keys"
            ><kbd>/</kbd> find <kbd>j</kbd> <kbd>k</kbd> next and previous row, <kbd>Enter</kbd> open</span
          >
          <span class="told" role="status"></span>
        </p>
      </footer>`,
  )
}

function account({ viewer, form, here }: Visit): Html | false {
  if (viewer.name === undefined) {
    return form && html`<a href="/login?back=${encodeURIComponent(here)}">Log in</a>`
  }
  if (!form || viewer.direct) return html`<span>${viewer.name}</span>`
  return html`<form method="post" action="/logout" class="inline">
    ${hidden(viewer)}<button class="link">Log out</button>
  </form>`
}

/** The token that proves a form is ours. */
const hidden = ({ word }: Viewer): Html => html`<input type="hidden" name="word" value="${word}" />`

/** A form with one button, for a visitor who may press it. */
export const button = (viewer: Viewer, action: string, label: string): Html | false =>
  viewer.name !== undefined &&
  html`<form method="post" action="${action}" class="inline">
    ${hidden(viewer)}<button>${label}</button>
  </form>`

/** A short page that says one thing. */
export const notice = (visit: Visit, title: string, text: string | Html): Html =>
  page(
    visit,
    { title, trail: [{ text: title }] },
    html`<h1>${title}</h1>
      <p>${text}</p>`,
  )

/** An instant as its age; the whole of it shows on pointing. */
export function age(time: number | null, now = Date.now()): Html | string {
  if (time === null) return ''
  const date = new Date(time)
  const iso = date.toISOString()
  return html`<time datetime="${iso}" title="${localTime(time)}">${ago(Math.max(0, now - time))}</time>`
}

/** An instant in the time zone of this server: `2026-01-02 03:04:05 UTC`. */
export function localTime(time: number): string {
  return ZONE.format(time).replace(',', '')
}

const ZONE = new Intl.DateTimeFormat('sv-SE', {
  dateStyle: 'short',
  timeStyle: 'long',
})

/** A span that still grows, from an instant on; a script keeps it going. */
export const since = (time: number | null, now = Date.now()): Html | string =>
  time === null
    ? ''
    : html`<span class="num" data-since="${time}">${formatSeconds(Math.max(0, now - time) / 1000)}</span>`

export const seconds = (span: number | null): Html | string =>
  span === null ? '' : html`<span class="num">${formatSeconds(span)}</span>`

/** `main` of `refs/heads/main`: what people call it. Tags keep the word. */
export const shortRef = (ref: string): string => ref.replace(/^refs\/(heads\/)?/, '')

export const jobPath = ({ num }: { num: number }): string => `/job/${num}`
export const logPath = (task: { num: number }, step: string): string =>
  `${jobPath(task)}/log/${encodeURIComponent(step)}`
export const projectPath = (project: string): string => `/project/${encodeURIComponent(project)}`
export const hostPath = (host: string): string => `/host/${encodeURIComponent(host)}`

/** A path with a query of what is set. */
export function withQuery(
  path: string,
  query: Readonly<Record<string, string | number | undefined>>,
): string {
  const set = Object.entries(query).filter(([, value]) => value !== undefined && value !== '')
  const text = new URLSearchParams(
    Object.fromEntries(set.map(([key, value]) => [key, String(value)])),
  ).toString()
  return text === '' ? path : `${path}?${text}`
}
