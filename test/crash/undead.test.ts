// Programs that stop between two calls, while others do their work, and go on when it is done: a part for every day,
// `npm run test:crash` tries more.

import { test } from 'tap'

import { FAULT_NEEDS } from '../fixtures/fault.ts'
import { lacks, ROOT } from '../fixtures/sandbox.ts'
import { sample } from './instants.ts'
import { scenarios } from './scenarios.ts'
import type { Scenario } from './scenario.ts'
import { harm, instantsOf, nothingYet, summary, sweep } from './sweep.ts'
import { Fixtures } from './world.ts'

const skip = lacks(...FAULT_NEEDS)

/** The same, stopped also before each listing and each look into a file: what others do between two looks counts. */
const withLooks = (scenario: Scenario): Scenario => ({
  ...scenario,
  name: `${scenario.name}, also between two looks`,
  setUp: async world => {
    world.sandbox.env['FAULT_LOOKS'] = '1'
    await scenario.setUp(world)
  },
})

test(
  'a taker that stops between its listing and its claim, until the job is over and moved to jobs/old, does not get it',
  { skip },
  async t => {
    const fixtures = new Fixtures(ROOT)
    t.teardown(() => fixtures.dispose())
    const scenario = scenarios.find(({ program }) => program === 'slave/task-taker')!
    const all = await instantsOf(scenario, fixtures, 'undead later')
    // Before it makes the job to be, and before the link that is the claim.
    const instants = all.filter(
      ({ operation: { kind, path, to } }) =>
        (kind === 'mkdir' && path.startsWith('spool/jobs/tmp/1:')) ||
        (kind === 'link' && to.endsWith('/claim')),
    )
    const totals = nothingYet()
    await sweep(scenario, fixtures, instants, totals, line => t.fail(line))
    t.match({ ...totals, harm: harm(totals) }, { tried: 2, harm: 0 })
  },
)

test(
  'makers, takers, reapers and sweepers that come back when others did the work do no harm',
  { skip },
  async t => {
    const fixtures = new Fixtures(ROOT)
    t.teardown(() => fixtures.dispose())
    const totals = nothingYet()
    // One instant of each scenario, in turn: what the others did is still where it was made, or it was archived.
    const tryOne = async (scenario: Scenario, turn: number) => {
      const all = await instantsOf(scenario, fixtures, turn % 2 === 0 ? 'undead' : 'undead later')
      await sweep(scenario, fixtures, sample(all, 1, turn), totals, line => t.fail(line))
    }
    const all = scenarios.map(withLooks)
    for (let turn = 0; turn < all.length; turn += 2) {
      await Promise.all(all.slice(turn, turn + 2).map((scenario, i) => tryOne(scenario, turn + i)))
    }
    t.comment(summary(totals))
    t.equal(harm(totals), 0)
    t.ok(totals.tried >= all.length / 2, `${totals.tried} were reached`)
  },
)
