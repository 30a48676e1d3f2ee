import { test } from 'tap'

import { pauseAfter } from '../../../master/notify/courier.ts'
import { changeOf, outcomeOf, wants } from '../../../master/notify/policy.ts'

test('only what says something of the code counts as good or bad', async t => {
  const cases = [
    ['success', null, 'good'],
    ['failure', null, 'bad'],
    ['timeout', null, 'bad'],
    ['error', null, 'bad'],
    ['cancelled', null, null],
    ['lost', '2:p:v:a', null],
    ['lost', null, 'bad'],
  ] as const
  for (const [verdict, retriedAs, outcome] of cases) t.equal(outcomeOf(verdict, retriedAs), outcome, verdict)
})

test('a change is the first failure, and the first success after one', async t => {
  const cases = [
    [null, 'good', null],
    [null, 'bad', 'broken'],
    ['good', 'good', null],
    ['good', 'bad', 'broken'],
    ['bad', 'bad', null],
    ['bad', 'good', 'mended'],
    ['bad', null, null],
  ] as const
  for (const [before, outcome, change] of cases) t.equal(changeOf(outcome, before), change)
})

test('each policy wants what its name says', async t => {
  t.ok(wants('all', 'waiting', null, null))
  t.notOk(wants('failures', 'running', null, null))
  t.ok(wants('failures', 'over', 'bad', null))
  t.notOk(wants('failures', 'over', 'good', 'mended'))
  t.ok(wants('changes', 'over', 'good', 'mended'))
  t.notOk(wants('changes', 'over', 'bad', null))
})

test('pauses grow from a second to five minutes', async t => {
  t.same([1, 2, 3, 9, 10, 1000].map(pauseAfter), [1000, 2000, 4000, 256_000, 300_000, 300_000])
})
