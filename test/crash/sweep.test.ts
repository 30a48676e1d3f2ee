// A part of the crash sweep that is small enough for every day: `npm run test:crash` tries all instants.

import { test } from 'tap'

import { FAULT_NEEDS } from '../fixtures/fault.ts'
import { lacks, ROOT } from '../fixtures/sandbox.ts'
import { KINDS, sample } from './instants.ts'
import { scenarios } from './scenarios.ts'
import { instantsOf, nothingYet, summary, sweep } from './sweep.ts'
import { Fixtures } from './world.ts'

/** Of each kind of instant of each scenario. */
const FEW = 2

test(
  'whatever is crashed, nothing is lost, doubled or left over',
  { skip: lacks(...FAULT_NEEDS) },
  async t => {
    const fixtures = new Fixtures(ROOT)
    t.teardown(() => fixtures.dispose())
    const totals = nothingYet()
    for (const scenario of scenarios) {
      for (const kind of KINDS) {
        const instants = sample(await instantsOf(scenario, fixtures, kind), FEW)
        await sweep(scenario, fixtures, instants, totals, line => t.fail(line))
      }
    }
    t.comment(summary(totals))
    t.ok(totals.tried > FEW * scenarios.length)
  },
)
