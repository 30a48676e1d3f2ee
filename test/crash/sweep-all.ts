// `npm run test:crash [-- [all] [WORDS]]`: stops every scenario before and after every operation, and tries a part of all other
// instants, which with `all` is all of them: that takes hours. WORDS choose the scenarios with them in their names. Says
// which instants lost, doubled or left something, and how many there were.

import { ROOT } from '../fixtures/sandbox.ts'
import { KINDS, sample } from './instants.ts'
import { scenarios } from './scenarios.ts'
import { harm, instantsOf, nothingYet, summary, sweep } from './sweep.ts'
import { Fixtures } from './world.ts'

/** How many of each kind of each scenario, but for crashes. */
const PART = 24

const say = (line: string) => void process.stdout.write(line + '\n')

async function main(part: number, words = ''): Promise<void> {
  const fixtures = new Fixtures(ROOT)
  const totals = nothingYet()
  try {
    for (const scenario of scenarios.filter(({ name }) => name.includes(words))) {
      const before = totals.tried
      for (const kind of KINDS) {
        const all = await instantsOf(scenario, fixtures, kind)
        const instants = kind === 'crash' ? all : sample(all, part)
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

const [first, second] = process.argv.slice(2)
void (first === 'all' ? main(Infinity, second) : main(PART, first))
