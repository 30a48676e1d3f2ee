// What kill -9 leaves behind, at instants nobody chose. The states themselves are in record.test.ts.

import { test } from 'tap'

import { eventually } from '../fixtures/sandbox.ts'
import { Workshop } from '../fixtures/workshop.ts'

const PROGRAM = 'master/bin/task-maker'

test('two makers at once, killed and started again, make each event into tasks exactly once', async t => {
  const shop = new Workshop(t)
  const ids = Array.from({ length: 12 }, () => shop.commit())
  ids.forEach(id => shop.touch(`main/${id}`))
  const steady = shop.start(PROGRAM)
  for (let round = 0; round < 4; round++) {
    const victim = shop.start(PROGRAM)
    const before = shop.published().length
    await eventually('some progress', () => shop.published().length > before || before === 24)
    await victim.kill('SIGKILL')
  }
  await eventually('all tasks', () => shop.published().length >= 24)
  await eventually('no record left', () => shop.ls('spool/revs/.making/hello').length === 0)
  await steady.kill('SIGTERM')
  await shop.burst()
  t.same(shop.revisions().sort(), [...ids, ...ids].sort())
  t.same(shop.ls('spool/tasks/tmp'), ['.bundles'])
})

test('what a maker that was killed had in hand, the next one finishes first', async t => {
  const shop = new Workshop(t)
  const ids = Array.from({ length: 6 }, () => shop.commit())
  ids.forEach(id => shop.touch(`main/${id}`))
  const maker = shop.start(PROGRAM)
  await eventually('a record', () => shop.ls('spool/revs/.making/hello').length > 0)
  await maker.kill('SIGKILL')
  await shop.burst()
  t.same(
    shop.revisions(),
    ids.flatMap(id => [id, id]),
  )
  t.same(shop.ls('spool/tasks/tmp'), ['.bundles'])
})
