import { spawnSync } from 'node:child_process'
import { test } from 'tap'

import { formatLabel, now, parseLabel } from '../../../lib/base/tai64n.ts'
import { lacks } from '../../fixtures/sandbox.ts'

test('a label is what daemontools writes for the same instant', async t => {
  t.equal(formatLabel(0), '@400000000000000a00000000')
  t.equal(formatLabel(1_700_000_000_123), '@400000006553f10a0754d4c0')
})

test('a label read back is the instant to the millisecond', async t => {
  for (const instant of [0, 1, 999, 1000, 1_700_000_000_123, 4_102_444_800_999]) {
    t.equal(parseLabel(formatLabel(instant)), instant)
  }
})

test('what is no label is refused', async t => {
  for (const text of ['', '@', '@40000000', '@400000006553f10a3b9aca00', 'x400000006553f10a0754d4c0']) {
    t.equal(parseLabel(text), undefined, text)
  }
})

test('labels of one process never go back', async t => {
  const labels = Array.from({ length: 1000 }, now)
  t.same(labels, [...labels].sort())
})

test('tai64nlocal reads our labels', { skip: lacks('tai64nlocal') }, async t => {
  const { stdout } = spawnSync('tai64nlocal', {
    input: `${formatLabel(1_700_000_000_123)} x\n`,
    env: { ...process.env, TZ: 'UTC' },
  })
  t.equal(String(stdout), '2023-11-14 22:13:20.123000000 x\n')
})
