import { mkdirSync, writeFileSync } from 'node:fs'
import { test } from 'tap'

import { Records } from '../../../master/notify/records.ts'
import { Sandbox } from '../../fixtures/sandbox.ts'

type T = ConstructorParameters<typeof Sandbox>[0]

const over = (num: number) => ({ num, stage: 'over' }) as const
const running = (num: number) => ({ num, stage: 'running' }) as const

/** A channel's directory; `open` is a notifier that starts. */
function make(t: T) {
  const box = new Sandbox(t)
  const open = (history: number[] = []) => new Records(box.path('channel'), () => history)
  return { box, open, ls: (part: string) => box.ls('channel', part).sort() }
}

test('a new channel is not told what was over before it, now or after a start', async t => {
  const { open } = make(t)
  t.ok(open([1, 2]).has(over(2)))
  const again = open([1, 2, 3])
  t.ok(again.has(over(1)))
  t.notOk(again.has(over(3)), 'it was not over when the channel was new')
})

test('a new channel is told nothing of the past, however much of it there is', async t => {
  const { open } = make(t)
  const history = Array.from({ length: 600_000 }, (_, i) => i + 1_000_000)
  t.ok(open(history).has(over(history.at(-1)!)))
  t.ok(open([]).has(over(history[0]!)), 'after another start')
})

test('notices are told in the order of tasks and stages, each once', async t => {
  const { open, ls } = make(t)
  const records = open()
  for (const key of [running(7), over(7), over(3)]) records.add(key, JSON.stringify(key))
  records.add(over(3), 'another')
  t.same(records.pending(), [over(3), running(7), over(7)])
  t.equal(records.read(over(3)), JSON.stringify(over(3)), 'the first one stands')
  records.done(over(3))
  t.same(records.pending(), [running(7), over(7)])
  t.same([ls('new'), ls('done')], [['7.over', '7.running'], ['3.over']])
  records.add(over(3), 'again')
  t.same(records.pending(), [running(7), over(7)])
})

test('a notice of nothing is a record without a delivery', async t => {
  const { open, ls } = make(t)
  const records = open()
  records.add(over(1), undefined)
  t.same([records.pending(), ls('new'), ls('done')], [[], [], ['1.over']])
  t.ok(open().has(over(1)))
})

test('the result of a task makes its earlier stages pointless', async t => {
  const { open, ls } = make(t)
  const records = open()
  for (const key of [running(1), over(1)]) {
    records.add(key, 'x')
    records.done(key)
  }
  t.same(ls('done'), ['1.over'])
  records.add(running(1), 'late')
  t.same(records.pending(), [])
})

test('a crash between any two steps leaves what the next start goes on with', async t => {
  const { box, open, ls } = make(t)
  open().add(over(1), 'whole')
  writeFileSync(box.path('channel/new/.half'), 'ha')
  t.same(open().pending(), [over(1)])
  t.same(ls('new'), ['1.over'])
  writeFileSync(box.path('channel/done/1.over'), '')
  t.same(open().pending(), [], 'delivered, and stopped before the notice was removed')
  t.same(ls('new'), [])
})

test('what was pruned is forgotten, and a notice that was lost by that is named', async t => {
  const { box, open, ls } = make(t)
  const records = open()
  records.add(over(1), 'x')
  records.add(over(2), undefined)
  records.add(over(3), 'x')
  mkdirSync(box.path('channel/done/odd'))
  t.same(
    records.tidy(num => num === 3),
    [over(1)],
  )
  t.same([ls('new'), ls('done')], [['3.over'], ['odd']])
  t.equal(records.read(over(1)), undefined)
})

test('a notice that another notifier has told is not pending any more', async t => {
  const { open } = make(t)
  const [ours, theirs] = [open(), open()]
  ours.add(over(1), 'x')
  theirs.add(over(1), 'x')
  theirs.done(over(1))
  t.equal(ours.read(over(1)), undefined)
  t.same(ours.pending(), [])
})
