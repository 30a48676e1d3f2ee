import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { lastNumber, makeCounter, takeNumbers } from '../../../lib/spool/counter.ts'
import { Sandbox } from '../../fixtures/sandbox.ts'

test('numbers grow, and several are taken at once', async t => {
  const { ctr } = new Sandbox(t).makeSpool()
  t.equal(takeNumbers(ctr, 1), 1)
  t.equal(takeNumbers(ctr, 3), 2)
  t.equal(takeNumbers(ctr, 1), 5)
  t.equal(lastNumber(ctr), 5)
})

test('the largest number wins, and what is no number does not count', async t => {
  const { ctr } = new Sandbox(t).makeSpool()
  for (const name of ['7', '12', '0099', 'x', '.13', '1e9']) mkdirSync(join(ctr, name))
  t.equal(takeNumbers(ctr, 1), 13)
  t.equal(takeNumbers(ctr, 1), 14, 'also when a smaller one is left behind')
})

test('a counter that is missing is never made anew', async t => {
  const sandbox = new Sandbox(t)
  const { ctr } = sandbox.makeSpool()
  rmSync(join(ctr, '0'), { recursive: true })
  t.throws(() => takeNumbers(ctr, 1), /holds no number/)
  rmSync(ctr, { recursive: true })
  t.throws(() => takeNumbers(ctr, 1), { code: 'ENOENT' }, 'that it is not there proves nothing')
  t.same(sandbox.ls('spool/tasks'), ['cur', 'old', 'tmp'])
})

test('a counter is made only where there is none', async t => {
  const sandbox = new Sandbox(t)
  const { ctr } = sandbox.makeSpool()
  takeNumbers(ctr, 5)
  makeCounter(ctr)
  t.same(sandbox.ls('spool/tasks/ctr'), ['5'])
  rmSync(join(ctr, '5'), { recursive: true })
  makeCounter(ctr)
  t.same(sandbox.ls('spool/tasks/ctr'), ['0'])
})
