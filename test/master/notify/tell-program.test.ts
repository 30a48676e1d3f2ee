import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'tap'

import { tellProgram } from '../../../master/notify/tell-program.ts'
import { eventually, Sandbox } from '../../fixtures/sandbox.ts'

test('a program reads what it is told, need not read it, and says in one line why it failed', async t => {
  const sandbox = new Sandbox(t)
  const file = sandbox.path('told')
  const sh = (script: string, input = 'a letter') =>
    tellProgram(['/bin/sh', '-c', script], input, process.env)
  t.match(await sh(`cat >'${file}'`), { code: 0 })
  t.equal(readFileSync(file, 'utf8'), 'a letter')
  t.same(await sh('echo first >&2; echo "no such user" >&2; exit 67', 'x'.repeat(1 << 20)), {
    code: 67,
    why: 'no such user',
  })
  t.same(await sh('kill -9 $$'), { code: null, why: 'it ended with SIGKILL' })
  await t.rejects(tellProgram([sandbox.path('nothing')], '', process.env), /ENOENT/)
})

test('one that hangs is killed with all that it started', async t => {
  const sandbox = new Sandbox(t)
  writeFileSync(sandbox.path('hangs'), '#!/bin/sh\nsleep 600 & echo $! >"$0.pid"; wait\n', { mode: 0o755 })
  t.match(await tellProgram([sandbox.path('hangs')], 'x', process.env, 500), { code: null, why: /SIGKILL/ })
  const pid = Number(readFileSync(sandbox.path('hangs.pid'), 'utf8'))
  const stat = () => {
    try {
      return readFileSync(`/proc/${pid}/stat`, 'utf8')
    } catch {
      return ') Z'
    }
  }
  await eventually('its child to end', () => /\) [ZX]/.test(stat()))
})
