// An executor that is launched where sockets cannot be made.

import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { launch } from '../../../lib/exec/launch.ts'
import { runShell } from '../../fixtures/executor.ts'
import { ROOT, Sandbox } from '../../fixtures/sandbox.ts'

/** Most bytes of the path of a socket: of a longer one the kernel is told no more. */
const SOCKET_MAX = 108

test('a temporary directory where no socket can be made is a sentence, and ends nobody', async t => {
  const sandbox = new Sandbox(t)
  const deep = sandbox.path('x'.repeat(SOCKET_MAX))
  mkdirSync(deep)
  writeFileSync(deep.slice(0, SOCKET_MAX), 'in the way')
  const before = process.env['TMPDIR'] ?? '/tmp'
  t.teardown(() => void (process.env['TMPDIR'] = before))
  process.env['TMPDIR'] = deep
  const nap = `1000.${process.pid}8`
  const launched = launch('run it', ['sleep', nap], sandbox.env)
  await t.rejects(launched, { exitCode: 111, message: /unable to listen at '/ })
  t.same(readdirSync(deep), [])
  t.not(sandbox.run('pgrep', ['-f', `sleep ${nap}`]).code, 0, 'the child has ended')
})

test('an executor that no client could come back to serves the one that there is', async t => {
  const sandbox = new Sandbox(t)
  const env = { ...sandbox.env, BASS_SSHD: String(process.pid), TMPDIR: sandbox.dir }
  const executor = join(ROOT, 'slave/bin/executor')
  const launched = await launch('run it', [executor, `ssh:${sandbox.path('nowhere/back')}`, 'no'], env)
  t.teardown(() => launched.close())
  t.match((await runShell(launched.client, 'echo here')).said, ['here\n', ''])
})
