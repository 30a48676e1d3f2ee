import { spawnSync } from 'node:child_process'
import { test } from 'tap'

import { shellQuote } from '../../../lib/base/shell-quote.ts'

test('a shell reads back what was quoted', async t => {
  for (const text of [
    'plain',
    '',
    "it's",
    'a b',
    '$HOME',
    '`x`',
    '"',
    '\\',
    '*',
    'a\nb',
    '~',
    '#',
    '!',
    "''",
  ]) {
    const { stdout } = spawnSync('sh', ['-c', `printf %s ${shellQuote(text)}`])
    t.equal(String(stdout), text, JSON.stringify(text))
  }
})

test('what needs no quotes has none', async t => {
  for (const text of ['/srv/git/hello.git', 'a@b+c:d%e,f-g_h', '1.2']) t.equal(shellQuote(text), text)
})
