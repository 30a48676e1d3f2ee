// The skeleton of a page.

import { html } from './html.ts'
import type { Html } from './html.ts'

/** A whole page: `head` comes behind what every page of ours has there. */
export const documentOf = (title: string, head: Html, body: Html): Html =>
  html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${title}</title>
        ${head}
      </head>
      <body>
        ${body}
      </body>
    </html>`
