import { test } from 'tap'

import { OddTasks } from '../../../slave/sources/odd.ts'

test('a task that could not be taken rests, longer each time, and no other does', async t => {
  const odd = new OddTasks(100)
  t.notOk(odd.rests('a', 0))
  t.equal(odd.failed('a', 0), 100)
  t.ok(odd.rests('a', 99))
  t.notOk(odd.rests('b', 99))
  t.notOk(odd.rests('a', 100))
  t.equal(odd.failed('a', 100), 200)
  for (let n = 0; n < 20; n++) odd.failed('a', 0)
  t.equal(odd.failed('a', 0), 6400, 'but not for ever')
  odd.worked('a')
  t.notOk(odd.rests('a', 1))
  t.equal(odd.failed('a', 0), 100)
  odd.keep(new Set(['b']))
  t.notOk(odd.rests('a', 1))
})
