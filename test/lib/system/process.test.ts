import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'tap'

import { isGone, processesWith, self, startOf } from '../../../lib/system/process.ts'
import { eventually } from '../../fixtures/sandbox.ts'

test('this process is not gone, and its start time is known', async t => {
  t.match(self(), { pid: process.pid, start: /^\d+$/, boot: /^[0-9a-f-]{36}$/, namespace: /^pid:\[\d+\]$/ })
  t.notOk(isGone(self()))
})

test('a process that ended is gone', async t => {
  const child = spawn('sleep', ['60'])
  const identity = { ...self(), pid: child.pid!, start: startOf(child.pid!) }
  t.notOk(isGone(identity))
  child.kill('SIGKILL')
  await once(child, 'exit')
  t.ok(isGone(identity))
})

test('a later process of the same pid is another one', async t => {
  t.ok(isGone({ ...self(), start: '1' }))
})

test('whatever ran before a reboot is gone; what another pid namespace holds cannot be told', async t => {
  t.ok(isGone({ ...self(), boot: '00000000-0000-0000-0000-000000000000' }))
  t.notOk(isGone({ ...self(), start: '1', namespace: 'pid:[1]' }))
  t.notOk(isGone({ ...self(), start: '1', boot: '' }), 'a system without boot ids')
})

test('the start time is found behind a command name with brackets and spaces', async t => {
  const child = spawn('sh', ['-c', 'printf ") R 1 (" >/proc/$$/comm; echo; read x'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  t.match(startOf(child.pid!), /^\d{3,}$/)
  child.stdin.end()
  await once(child, 'exit')
})

test('processes are found by an entry of their environment, also those that left their session', async t => {
  const entry = `BASS_TEST_MARK=${process.pid}`
  const { stdout } = spawnSync('sh', ['-c', 'setsid sleep 60 >/dev/null 2>&1 & echo $!'], {
    env: { ...process.env, BASS_TEST_MARK: String(process.pid) },
  })
  const pid = Number(String(stdout))
  // For a moment setsid may be two.
  await eventually('it is found', () => processesWith(entry).length === 1)
  process.kill(pid, 'SIGKILL')
  t.same(processesWith(`${entry}0`), [])
})
