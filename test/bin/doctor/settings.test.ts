import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { checkNode } from '../../../bin/doctor/programs.ts'
import { namesIn } from '../../../bin/doctor/settings.ts'
import { ROOT } from '../../fixtures/sandbox.ts'

test('the settings are those that lib/rc exports', async t => {
  t.same(namesIn('export A_B="${A_B:-X Y}" CD="$EF"\n[ -z "${GH-}" ] || export GH\n# export NO\nIJ=1\n'), [
    'A_B',
    'CD',
    'GH',
  ])
  const names = namesIn(readFileSync(join(ROOT, 'lib/rc'), 'utf8'))
  for (const name of ['SPOOL', 'ARCH', 'HOST', 'COMPRESSOR', 'JOBTMP', 'SECRETS'])
    t.ok(names.includes(name), name)
})

test('a Node.js before 20 is too old', async t => {
  t.match(checkNode('v18.19.0'), { ok: false, text: '18.19.0 is too old' })
  t.match(checkNode('v20.15.1'), { ok: false })
  t.match(checkNode('v20.16.0'), { ok: true })
  t.match(checkNode('v100.0.0'), { ok: true })
})
