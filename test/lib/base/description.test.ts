import { test } from 'tap'

import { fill } from '../../../lib/base/description.ts'

test('lines that are too long for a terminal are broken between words, and rows of a table below their second column', t => {
  const text = `usage: x [--one] [--two] [--three]

Does this,
and that as well.

options:
  --one N    the first of them
  --twotwo   the second of them, which is longer
  -t, --three  short

  as it stands   here
`
  t.equal(
    fill(text, 30),
    `usage: x [--one] [--two]
[--three]

Does this,
and that as well.

options:
  --one N    the first of them
  --twotwo   the second of
             them, which is
             longer
  -t, --three  short

  as it stands   here
`,
  )
  t.equal(fill(text, Infinity), text)
  t.equal(fill('abcdefgh ij\n', 3), 'abcdefgh\nij\n')
  t.end()
})
