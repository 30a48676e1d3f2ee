import { test } from 'tap'

import { parseEnvironment } from '../../../bin/parts/env-file.ts'
import { formatEnvironment } from '../../../slave/run/environment.ts'

test('what a slave wrote is read back, but for what it hid', async t => {
  const values = { PLAIN: 'a/b', QUOTED: "it's\n two=2", EMPTY: '', TOKEN: 'secret' }
  const text = formatEnvironment({ values, secrets: ['TOKEN'] })
  t.same(parseEnvironment(text), { PLAIN: 'a/b', QUOTED: "it's\n two=2", EMPTY: '' })
})
