// A part of the crash sweep that is small enough for every day: `npm run test:crash` tries all instants.

import { test } from 'tap'

import { FAULT_NEEDS } from '../fixtures/fault.ts'
import { lacks, ROOT } from '../fixtures/sandbox.ts'
import { crashes, doubleCrashes, errors, sample } from './instants.ts'
import { scenarios } from './scenarios.ts'
import { nothingYet, operationsOf, summary, sweep } from './sweep.ts'
import { Fixtures } from './world.ts'

test(
  'whatever is crashed, nothing is lost, doubled or left over',
  { skip: lacks(...FAULT_NEEDS) },
  async t => {
    const fixtures = new Fixtures(ROOT)
    t.teardown(() => fixtures.dispose())
    const totals = nothingYet()
    for (const scenario of scenarios) {
      const operations = await operationsOf(scenario, fixtures)
      const instants = [
        ...sample(crashes(operations), 8),
        ...sample(errors(operations), 4),
        ...doubleCrashes(operations, 2),
      ]
      await sweep(scenario, fixtures, instants, totals, line => t.fail(line))
    }
    t.comment(summary(totals))
    t.ok(totals.tried > 10 * scenarios.length)
  },
)
