import { test } from 'tap'

import type { StepView, TaskView } from '../../../../lib/view/view.ts'
import { flakyOf, trendsOf } from '../../../../master/web/pages/trends-page.ts'

/** A task of a version with steps that ended so. */
function task(num: number, version: string, states: Record<string, StepView['state']>, arch = 'a'): TaskView {
  const steps = Object.entries(states).map(([name, state]) => ({ name, state, seconds: 1 }))
  return { num, version, arch, host: null, job: { steps } } as unknown as TaskView
}

test('a step is flaky where it passed and failed for one revision on one architecture', async t => {
  const trends = trendsOf([
    task(1, 'v1', { build: 'success', test: 'failure' }),
    task(2, 'v1', { build: 'success', test: 'success' }),
    task(3, 'v2', { build: 'failure' }),
    task(4, 'v2', { build: 'success', test: 'success' }, 'b'),
    task(5, 'v3', { build: 'interrupted' }),
    task(6, 'v3', { build: 'success', test: 'timeout' }),
    task(7, 'v3', { build: 'cancelled' }),
  ])
  t.same(
    trends.map(({ step, target, runs }) => `${step} ${target} ${runs.length}`),
    ['build a 6', 'build b 1', 'test a 3', 'test b 1'],
  )
  const flaky = trends.map(flakyOf).filter(({ both }) => both.length > 0)
  t.match(flaky, [
    { step: 'test', target: 'a', both: [{ version: 'v1', failed: { num: 1 }, passed: { num: 2 } }] },
  ])
  t.equal(flaky.length, 1)
})
