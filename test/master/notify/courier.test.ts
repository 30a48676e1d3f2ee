// A courier with a channel of the test's own: each delivery ends as the test says.

import { test } from 'tap'

import { Courier, pauseAfter } from '../../../master/notify/courier.ts'
import { Later, NotYet, Refused } from '../../../master/notify/deliver.ts'
import { Records } from '../../../master/notify/records.ts'
import { eventually, Sandbox } from '../../fixtures/sandbox.ts'

type T = ConstructorParameters<typeof Sandbox>[0] & { teardown: (end: () => unknown) => unknown }

const key = (num: number) => ({ num, stage: 'over' }) as const

/** `answers` are what becomes of the deliveries of each number, in turn; after the last of them all is well. */
function make(t: T, nums: number[], answers: Record<number, (Error | undefined)[]> = {}, tries?: number) {
  const box = new Sandbox(t)
  const records = new Records(box.path('channel'), () => [])
  for (const num of nums) records.add(key(num), JSON.stringify({ id: String(num) }))
  const tried: string[] = []
  const channel = { project: 'hello', name: 'test', kind: 'test', target: '', policy: 'all' } as const
  const courier = new Courier(channel, records, {
    ...(tries === undefined ? {} : { tries }),
    deliver: ({ id }) => {
      tried.push(id)
      const error = answers[Number(id)]?.shift()
      return error ? Promise.reject(error) : Promise.resolve()
    },
  })
  const stop = new AbortController()
  const running = courier.run(stop.signal)
  t.teardown(async () => {
    stop.abort()
    await running
  })
  return { box, records, courier, tried, stop, running }
}

test('notices are told one after the other, and a ring brings the next', async t => {
  const { records, courier, tried } = make(t, [2, 1])
  await eventually('both', () => records.pending().length === 0)
  t.same(tried, ['1', '2'])
  records.add(key(3), '{"id":"3"}')
  courier.ring()
  await eventually('the third', () => tried.length === 3)
})

test('a channel that cannot be reached holds up all, in order', async t => {
  const { tried, records } = make(t, [1, 2], { 1: [new Error('it is away')] })
  await eventually('both', () => records.pending().length === 0)
  t.same(tried, ['1', '1', '2'])
})

test('a channel that wants to be left alone is left alone for so long', async t => {
  const began = performance.now()
  const { records } = make(t, [1], { 1: [new Later('too many', 1800)] })
  await eventually('it', () => records.pending().length === 0)
  t.ok(performance.now() - began >= 1800)
})

test('a notice that is refused, or is to wait, lets those behind it pass', async t => {
  const { tried, records } = make(t, [1, 2, 3], {
    1: [new Refused('no such user')],
    2: [new NotYet('', 100)],
  })
  await eventually('all', () => records.pending().length === 0)
  t.same(tried, ['1', '2', '3', '2', '1'])
})

test('a notice that is refused as often as its channel allows is given up', async t => {
  const { tried, records } = make(t, [1, 2], { 1: [new Refused('no'), new Refused('no')] }, 2)
  await eventually('all', () => records.pending().length === 0)
  t.same(tried, ['1', '2', '1'])
  t.ok(records.has(key(1)))
})

test('a notice that is refused for good is given up at once', async t => {
  const { tried, records } = make(t, [1, 2], { 1: [new Refused('it is full', true)] })
  await eventually('all', () => records.pending().length === 0)
  t.same(tried, ['1', '2'])
  t.ok(records.has(key(1)))
})

test('what was told and could not be recorded is not told again, whatever comes before it meanwhile', async t => {
  const { tried, records, courier } = make(t, [])
  const done = records.done.bind(records)
  let failures = 0
  records.done = given => {
    if (given.num === 2 && failures++ === 0) {
      records.add(key(1), '{"id":"1"}')
      throw new Error('no space left on device')
    }
    done(given)
  }
  records.add(key(2), '{"id":"2"}')
  courier.ring()
  await eventually('both', () => tried.length > 1 && records.pending().length === 0)
  t.same(tried, ['2', '1'])
})

test('an end comes at once while a courier rests, and leaves what is pending', async t => {
  const { stop, running, records, tried } = make(t, [1], { 1: [new Later('too many', 1e9)] })
  await eventually('a try', () => tried.length === 1)
  stop.abort()
  await running
  t.same(records.pending(), [key(1)])
})

test('pauses grow, to five minutes', async t => {
  t.same([1, 2, 3, 9, 10, 1000].map(pauseAfter), [1000, 2000, 4000, 256_000, 300_000, 300_000])
})
