// What two programs do between two calls of one another, and power cuts at the one place where a line of the protocol counts:
// `npm run test:mutations` breaks each such line and shows that this notices.

import { test } from 'tap'

import { FAULT_NEEDS } from '../fixtures/fault.ts'
import { lacks, ROOT } from '../fixtures/sandbox.ts'
import { isMeant, MUTATIONS } from './mutations.ts'
import { scenarios } from './scenarios.ts'
import { schedules, trySchedule } from './schedules.ts'
import { harm, instantsOf, nothingYet, sweep } from './sweep.ts'
import { Fixtures } from './world.ts'

const skip = lacks(...FAULT_NEEDS)

test('whatever one program does while another is between two calls', { skip }, async t => {
  const fixtures = new Fixtures(ROOT)
  t.teardown(() => fixtures.dispose())
  for (const schedule of schedules) t.same(await trySchedule(schedule, fixtures), [], schedule.name)
})

test('wherever the power is cut at a place where one line counts', { skip }, async t => {
  const fixtures = new Fixtures(ROOT)
  t.teardown(() => fixtures.dispose())
  for (const mutation of MUTATIONS) {
    if (mutation.where === undefined || mutation.kind === 'schedule') continue
    const totals = nothingYet()
    for (const scenario of scenarios.filter(({ name }) => name.includes(mutation.words))) {
      const all = await instantsOf(scenario, fixtures, mutation.kind)
      const meant = all.filter(instant => isMeant(mutation, instant)).slice(0, 4)
      await sweep(scenario, fixtures, meant, totals, line => t.fail(line))
    }
    t.equal(harm(totals), 0, mutation.name)
    t.ok(totals.tried > 0, `${mutation.name}: it was tried`)
  }
})
