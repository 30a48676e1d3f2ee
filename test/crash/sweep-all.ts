// `npm run test:crash [-- MOST [WORD]]`: tries every instant of every scenario, or about MOST of each; or only of those with
// WORD in their names. Says which of them lost, doubled or left something, and how many there were.

import { tmpdir } from 'node:os'

import { ROOT } from '../fixtures/sandbox.ts'
import { crashes, doubleCrashes, errors, powerCuts, sample, undead } from './instants.ts'
import { scenarios } from './scenarios.ts'
import { nothingYet, operationsOf, summary, sweep } from './sweep.ts'
import { Fixtures } from './world.ts'

/** Of each scenario, how many pairs of a crash and one in its recovery. */
const PAIRS = 50

async function main(most = Infinity, word = ''): Promise<void> {
  const fixtures = new Fixtures(ROOT)
  const totals = nothingYet()
  const say = (line: string) => void process.stdout.write(line + '\n')
  say(`in ${tmpdir()}`)
  try {
    for (const scenario of scenarios.filter(({ name }) => name.includes(word))) {
      const operations = await operationsOf(scenario, fixtures)
      const ofAll = await operationsOf(scenario, fixtures, 'all')
      const instants = sample(
        [
          ...crashes(operations),
          ...errors(operations),
          ...doubleCrashes(operations, PAIRS),
          ...powerCuts(ofAll),
          ...undead(operations),
        ],
        most,
      )
      say(`${scenario.name}: ${operations.length} operations, ${instants.length} instants`)
      await sweep(scenario, fixtures, instants, totals, say)
    }
  } finally {
    fixtures.dispose()
  }
  if (totals.unreached > 0) say(`${totals.unreached} more were not reached: the run was over before`)
  say(summary(totals))
  if (totals.lost + totals.doubled + totals.left + totals.badly > 0) process.exitCode = 1
}

const [most, word] = process.argv.slice(2)
void main(most === undefined ? undefined : Number(most), word)
