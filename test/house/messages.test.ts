// A name in a message is quoted once: by `quote`, or by `warn` and `warnOnce`, which do so themselves.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { ROOT } from '../fixtures/sandbox.ts'

const DOUBLED = /\bwarn(?:Once)?\(\s*[^,()]*,\s*quote\(|\bquote\(\s*quote\(|'\$\{quote\(/g

test('no name in a message has two pairs of quotes', t => {
  for (const top of ['lib', 'master', 'slave', 'bin']) {
    for (const file of readdirSync(join(ROOT, top), { recursive: true, encoding: 'utf8' })) {
      if (file.endsWith('.ts')) t.same(readFileSync(join(ROOT, top, file), 'utf8').match(DOUBLED), null, file)
    }
  }
  const found = ["warn('read', quote(path), e)", "`it is '${quote(name)}'`", 'quote(quote(name))']
  for (const text of found) t.match(text, new RegExp(DOUBLED.source), 'this test finds what it is to find')
  t.end()
})
