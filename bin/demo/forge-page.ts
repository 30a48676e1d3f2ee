// The stand-in's page: what a forge shows of a change. It needs no script: it is loaded again each second.

import { html } from '../../lib/web/html.ts'
import type { Html } from '../../lib/web/html.ts'

/** A check as the API is told of it. */
export interface DemoCheck {
  readonly context: string
  readonly state: string
  readonly description: string
  /** Where its link leads; null for nowhere. */
  readonly target_url: string | null
}

export interface ShownChange {
  readonly title: string
  readonly about: string
  readonly head: string
  readonly checks: readonly DemoCheck[]
}

/** A sign for each state: colour is never the only difference. */
export const SIGNS: Readonly<Record<string, string>> = {
  pending: '●',
  success: '✓',
  failure: '✗',
  error: '!',
}

const FORGE_STYLE = `
  :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
  body { max-width: 45rem; margin: 2rem auto; padding: 0 1rem }
  li { display: flex; gap: .75rem; padding: .5rem 0; border-top: 1px solid #8884 }
  ul { list-style: none; padding: 0 }
  b { min-width: 9rem }
  .pending { color: light-dark(#8a6100, #e2b340) } .success { color: light-dark(#1a7f37, #4ac26b) }
  .failure, .error { color: light-dark(#c21f32, #ff7b8a) } p { color: #888 }
`

export function changePage({ title, about, head, checks }: ShownChange): string {
  const green = checks.filter(({ state }) => state === 'success').length
  return String(
    html`<!doctype html>
      <html lang="en">
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <meta http-equiv="refresh" content="1" />
        <title>${title}</title>
        <style>
          ${FORGE_STYLE}
        </style>
        <h1>${title}</h1>
        <p>${about} · <a href="/demo/site/commit/${head}">${head.slice(0, 10)}</a></p>
        <h2>Checks: ${green} of ${checks.length} passed</h2>
        <ul>
          ${[...checks].sort((a, b) => (a.context < b.context ? -1 : 1)).map(checkLine)}
        </ul>
        <p>A stand-in for a forge, for the demo of BASS.</p>
      </html>`,
  )
}

const checkLine = ({ context, state, description, target_url }: DemoCheck): Html => html`
  <li>
    <span class="${state}" aria-hidden="true">${SIGNS[state] ?? '·'}</span>
    <b>${target_url === null ? context : html`<a href="${target_url}">${context}</a>`}</b>
    <span><span class="${state}">${state}</span> ${description}</span>
  </li>
`
