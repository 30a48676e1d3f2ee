// A part of the crash sweep that is small enough for every day: `npm run test:crash` tries all instants.

import { test } from 'tap'

import { FAULT_NEEDS } from '../fixtures/fault.ts'
import { lacks, ROOT } from '../fixtures/sandbox.ts'
import { KINDS, sample } from './instants.ts'
import { scenarios } from './scenarios.ts'
import { harm, instantsOf, nothingYet, summary, sweep } from './sweep.ts'
import { Fixtures } from './world.ts'

/** How many scenarios are tried at a time. */
const LANES = 2

test(
  'whatever is crashed, nothing is lost, doubled or left over',
  { skip: lacks(...FAULT_NEEDS) },
  async t => {
    const fixtures = new Fixtures(ROOT)
    t.teardown(() => fixtures.dispose())
    const totals = nothingYet()
    const queue = [...scenarios.entries()]
    const lane = async () => {
      for (let next = queue.shift(); next; next = queue.shift()) {
        const [i, scenario] = next
        // Two of the nine kinds of instant, in turn.
        for (const kind of KINDS.filter((_, k) => (2 * i + k) % KINDS.length < 2)) {
          const instants = sample(await instantsOf(scenario, fixtures, kind), 1, i)
          await sweep(scenario, fixtures, instants, totals, line => t.fail(line))
        }
      }
    }
    await Promise.all(Array.from({ length: LANES }, lane))
    t.comment(summary(totals))
    t.equal(harm(totals), 0)
    t.ok(totals.tried > scenarios.length)
  },
)
