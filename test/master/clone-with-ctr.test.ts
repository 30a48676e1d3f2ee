import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { Sandbox } from '../fixtures/sandbox.ts'

const PROGRAM = 'master/bin/clone-with-ctr'

function make(t: ConstructorParameters<typeof Sandbox>[0]) {
  const sandbox = new Sandbox(t)
  const { tmp } = sandbox.makeSpool().tasks
  mkdirSync(join(tmp, ':p:v:'))
  writeFileSync(join(tmp, ':p:v:', 'code.tar'), 'code')
  return { sandbox, tmp }
}

test('clones are made where one stands, and their names printed', async t => {
  const { sandbox, tmp } = make(t)
  const names = sandbox.ok(PROGRAM, [':p:v:', ':p:v:x86', ':p:v:arm:pi'], { cwd: tmp })
  t.equal(names, '1:p:v:x86\n2:p:v:arm:pi')
  t.same(sandbox.ls('spool/tasks/tmp'), ['1:p:v:x86', '2:p:v:arm:pi', ':p:v:'])
  t.same(sandbox.ls('spool/tasks/tmp/2:p:v:arm:pi'), ['code.tar'])
})

test('sixteen at the same time give distinct numbers, and nothing private stays', async t => {
  const { sandbox, tmp } = make(t)
  const all = Array.from({ length: 16 }, () =>
    sandbox.start(PROGRAM, [':p:v:', ':p:v:a', ':p:v:b'], { cwd: tmp }),
  )
  const ended = await Promise.all(all.map(running => running.ended))
  const names = ended.flatMap(({ stdout }) => stdout.trim().split('\n'))
  t.same(new Set(ended.map(({ code }) => code)), new Set([0]))
  t.equal(new Set(names.map(name => parseInt(name))).size, 32)
  t.same(sandbox.ls('spool/tasks/tmp'), [...names, ':p:v:'].sort())
})

test('what is wrong is one sentence, and nothing is made', async t => {
  const { sandbox, tmp } = make(t)
  const wrong: [string[], RegExp][] = [
    [[], /an argument is missing/],
    [[':p:v:'], /an argument is missing/],
    [[':p:v:', 'p:v:a'], /unable to number 'p:v:a'/],
    [[':p:v:', ':p:v:a', ':p:v/w:a'], /unable to number/],
    [[':p:v:', ':p:v:' + 'a'.repeat(230)], /too long/],
    [[':p:w:', ':p:w:a'], /unable to clone ':p:w:': no such file or directory/],
  ]
  for (const [args, why] of wrong) {
    const ended = sandbox.run(PROGRAM, args, { cwd: tmp })
    t.match(ended, { code: 100, stdout: '', stderr: why })
    t.equal(ended.stderr.split('\n').length, 2)
  }
  rmSync(join(sandbox.spool.ctr, '0'), { recursive: true })
  t.match(sandbox.run(PROGRAM, [':p:v:', ':p:v:a'], { cwd: tmp }), { code: 100, stderr: /read the counter/ })
  t.match(sandbox.run(PROGRAM, [':p:v:', ':p:v:a'], { cwd: tmp, env: { SPOOL: undefined } }), {
    code: 100,
    stderr: /unable to read the setting TASKS: it is not set/,
  })
  t.same(sandbox.ls('spool/tasks/tmp'), [':p:v:'])
})
