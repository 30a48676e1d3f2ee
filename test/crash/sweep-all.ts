// `npm run test:crash [-- MOST [WORDS]]`: tries every instant of every scenario, or about MOST of each kind; or only of those
// scenarios with WORDS in their names. Says which of them lost, doubled or left something, and how many there were.

import { ROOT } from '../fixtures/sandbox.ts'
import { KINDS, sample } from './instants.ts'
import { scenarios } from './scenarios.ts'
import { harm, instantsOf, nothingYet, summary, sweep } from './sweep.ts'
import { Fixtures } from './world.ts'

const say = (line: string) => void process.stdout.write(line + '\n')

async function main(most = Infinity, words = ''): Promise<void> {
  const fixtures = new Fixtures(ROOT)
  const totals = nothingYet()
  try {
    for (const scenario of scenarios.filter(({ name }) => name.includes(words))) {
      const before = totals.tried
      for (const kind of KINDS) {
        const instants = sample(await instantsOf(scenario, fixtures, kind), most)
        await sweep(scenario, fixtures, instants, totals, say)
      }
      say(`${scenario.name}: ${totals.tried - before} instants`)
    }
  } finally {
    fixtures.dispose()
  }
  if (totals.unreached > 0) say(`${totals.unreached} more were not reached: the run was over before`)
  say(summary(totals))
  if (harm(totals) > 0) process.exitCode = 1
}

const [most, words] = process.argv.slice(2)
void main(most === undefined ? undefined : Number(most), words)
