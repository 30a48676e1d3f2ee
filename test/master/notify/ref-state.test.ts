import { test } from 'tap'

import type { TaskView } from '../../../lib/view/view.ts'
import { RefStates } from '../../../master/notify/ref-state.ts'
import { Sandbox } from '../../fixtures/sandbox.ts'

const view = (num: number, more: Partial<TaskView> = {}) =>
  ({ num, ref: 'refs/heads/main', revision: `r${num}`, arch: 'x', host: null, ...more }) as TaskView

const make = (t: ConstructorParameters<typeof Sandbox>[0]) => {
  const box = new Sandbox(t)
  return { box, states: new RefStates(box.path('refs')) }
}

test('each result is told with the one before it, however often it is noted', async t => {
  const { box, states } = make(t)
  t.equal(states.note(view(1), 'bad'), null)
  const before = { num: 1, outcome: 'bad', revision: 'r1' }
  t.same(states.note(view(2), 'good'), before)
  t.same(new RefStates(box.path('refs')).note(view(2), 'good'), before, 'also after a start')
})

test('a job that ends after a later one says nothing of its ref now', async t => {
  const { states } = make(t)
  states.note(view(5), 'good')
  t.equal(states.note(view(4), 'bad'), undefined)
  t.match(states.note(view(6), 'bad'), { num: 5, outcome: 'good' })
})

test('refs, architectures, hosts and lines of Testfiles are apart', async t => {
  const { box, states } = make(t)
  const others = [{ ref: 'refs/heads/x' }, { ref: null }, { arch: 'y' }, { host: 'h' }, { label: 'sdk lint' }]
  states.note(view(1), 'bad')
  for (const [i, more] of others.entries())
    t.equal(states.note(view(i + 2, more), 'bad'), null, JSON.stringify(more))
  t.equal(box.ls('refs').length, 6)
})

test('a ref whose last job was pruned is new again', async t => {
  const { box, states } = make(t)
  states.note(view(1), 'bad')
  states.note(view(2, { arch: 'y' }), 'bad')
  states.tidy(num => num !== 1)
  t.equal(box.ls('refs').length, 1)
  t.equal(states.note(view(3), 'good'), null)
  t.match(states.note(view(4, { arch: 'y' }), 'good'), { num: 2 })
})
