// Calls of a forge that counts hours, over the life of a notifier.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { test } from 'tap'

import { Calls } from '../../../master/notify/calls.ts'
import { Pace } from '../../../master/notify/pace.ts'
import { StandIn } from '../../fixtures/forges/stand-in.ts'
import { Notified } from '../../fixtures/notified.ts'
import { eventually } from '../../fixtures/sandbox.ts'

test('calls are remembered for their span, whatever the file or the clock says', async t => {
  const directory = t.testdir()
  const calls = new Calls(directory, 1000)
  for (const now of [5000, 5500, 5900]) calls.note(now)
  t.same(new Calls(directory, 1000).ages(6200), [700, 300])
  t.same(new Calls(directory, 1000).ages(5600), [600, 100, 0], 'the clock was set back')
  calls.note(9000)
  t.equal(readFileSync(join(directory, 'calls'), 'utf8'), '9000\n')
  writeFileSync(join(directory, 'calls'), 'x\n\n-1\n9100')
  t.same(new Calls(directory, 1000).ages(9200), [100])

  const pace = new Pace([{ most: 3, patient: 2, span: 1000 }])
  pace.note(50)
  pace.remember(100, [900, 100])
  t.equal(pace.wait(100, false), 100)
  t.equal(pace.wait(201, false), 0)
})

test('a new notifier counts what the one before told GitHub within the hour', async t => {
  const standIn = await StandIn.open(t, 'github')
  const site = new Notified(t, { FORGE: standIn.forge, FORGE_TOKEN: 'a_token' })
  const first = await site.notifier()
  site.end('success')
  await site.settled()
  await first.kill('SIGKILL')
  const told = standIn.statuses.length
  const file = join(site.spool.root, 'notices/hello/forge/calls')
  t.equal(readFileSync(file, 'utf8').trim().split('\n').length, told)

  const lines = Array.from({ length: 450 }, () => `${Date.now() - 1_800_000}\n`)
  writeFileSync(file, lines.join(''))
  const second = await site.notifier()
  site.end('success')
  await eventually('there is a verdict', () => site.ls('spool/notices/hello/forge/new').includes('2.over'))
  await sleep(1500)
  t.equal(standIn.statuses.length, told, 'the hour is spent')
  await second.kill('SIGKILL')
  writeFileSync(file, '')
  await site.notifier()
  await site.settled()
  t.ok(standIn.statuses.length > told)
  t.same(standIn.lies, [])
})
