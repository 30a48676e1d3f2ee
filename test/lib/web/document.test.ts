import { test } from 'tap'

import { documentOf } from '../../../lib/web/document.ts'
import { html } from '../../../lib/web/html.ts'

test('a page has its title escaped, what every page has, and what is its own', async t => {
  const page = String(documentOf('<b> & co', html`<link rel="x" />`, html`<main>hello</main>`))
  t.match(page, /^<!doctype html>/)
  t.match(page, '<title>&lt;b&gt; &amp; co</title>')
  t.match(page, /<head>[^]*<meta charset="utf-8" \/>[^]*<link rel="x" \/>[^]*<\/head>/)
  t.match(page, /<body>\s*<main>hello<\/main>\s*<\/body>\s*<\/html>$/)
})
