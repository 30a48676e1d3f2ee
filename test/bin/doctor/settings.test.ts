import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { checkNode } from '../../../bin/doctor/programs.ts'
import { assignedIn } from '../../../bin/doctor/settings-files.ts'
import { namesIn } from '../../../lib/conf/setting-names.ts'
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

test('what a settings file assigns is told from what it mentions', async t => {
  const rc = `# A=1
: "\${B:=x}"
C=1; D=2 # E=3
  export F_2='G=4'
if [ -f "$H" ]; then I=$J; fi
[ "$K" = L ] || M=$(n O=1)
`
  t.same(assignedIn(rc).sort(), ['B', 'C', 'D', 'F_2', 'I', 'M'])
})

test('a Node.js before 20 is too old', async t => {
  t.match(checkNode('v18.19.0'), { ok: false, text: '18.19.0 is too old' })
  t.match(checkNode('v20.18.3'), { ok: false })
  t.match(checkNode('v20.19.0'), { ok: true })
  t.match(checkNode('v100.0.0'), { ok: true })
})
