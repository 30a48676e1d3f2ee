// Where a person says the token.

import { html } from '../../../lib/web/html.ts'
import type { Html } from '../../../lib/web/html.ts'
import { page } from './page.ts'
import type { Visit } from './page.ts'

export const loginPage = (visit: Visit, back: string, wrong: boolean): Html =>
  page(
    visit,
    { title: 'Log in', trail: [{ text: 'Log in' }] },
    html`<h1>Log in</h1>
      <form method="post" action="/login" class="login">
        <input type="hidden" name="back" value="${back}" />
        <input type="hidden" name="username" value="reporter" autocomplete="username" />
        <label
          ><span>Token</span
          ><input
            type="password"
            name="token"
            required=""
            autocomplete="current-password"
            ${wrong ? html`aria-invalid="true" aria-describedby="wrong"` : ''}
        /></label>
        ${wrong && html`<p class="error" id="wrong" role="alert">That is not the token.</p>`}
        <p class="quiet">It is the setting <code>REPORTER_TOKEN</code> of this server.</p>
        <button>Log in</button>
      </form>`,
  )

/** The path to go to afterwards: always one of this site. Pure. */
export const backTo = (path: string | undefined): string =>
  path !== undefined && /^\/(?![/\\])[^\s\\]*$/.test(path) ? path : '/'
