// `npm run test:crash [-- [all] [I/N] [WORDS]]`: crashes every scenario before and after every operation, and tries a
// part of all other instants, which with `all` is all of them. `I/N` tries the I-th of N parts of that, so that a long
// sweep can be done bit by bit. WORDS choose the scenarios with them in their names. TERM ends it early. Says which
// instants lost, doubled or left something, and how many were tried.

import { ROOT } from '../fixtures/sandbox.ts'
import { KINDS, sample } from './instants.ts'
import { scenarios } from './scenarios.ts'
import { harm, instantsOf, nothingYet, summary, sweep } from './sweep.ts'
import { Fixtures } from './world.ts'

/** How many of each kind of each scenario, but for crashes. */
const SAMPLE = 16

interface Wish {
  readonly all: boolean
  /** Which part of how many. */
  readonly part: readonly [number, number]
  readonly words: string
}

const say = (line: string) => void process.stdout.write(line + '\n')

async function main({ all, part: [part, parts], words }: Wish): Promise<void> {
  const fixtures = new Fixtures(ROOT)
  const totals = nothingYet()
  const stop = new AbortController()
  process.on('SIGTERM', () => stop.abort())
  try {
    for (const scenario of scenarios.filter(({ name }) => name.includes(words))) {
      if (stop.signal.aborted) break
      const before = totals.tried
      for (const kind of KINDS) {
        const there = await instantsOf(scenario, fixtures, kind)
        const chosen = all || kind === 'crash' ? there : sample(there, SAMPLE)
        const instants = chosen.filter((_, i) => i % parts === part - 1)
        await sweep(scenario, fixtures, instants, totals, say, () => stop.signal.aborted)
      }
      say(`${scenario.name}: ${totals.tried - before} instants`)
    }
  } finally {
    fixtures.dispose()
  }
  if (totals.unreached > 0) say(`${totals.unreached} more were not reached: the run was over before`)
  if (stop.signal.aborted) say('not all were tried: it was told to stop')
  say(summary(totals))
  if (harm(totals) > 0) process.exitCode = 1
}

function parse(argv: string[]): Wish {
  const words = [...argv]
  const all = words[0] === 'all' && words.shift() !== undefined
  const part = /^(\d+)\/(\d+)$/.exec(words[0] ?? '')
  if (part) words.shift()
  return { all, part: part ? [Number(part[1]), Number(part[2])] : [1, 1], words: words.join(' ') }
}

void main(parse(process.argv.slice(2)))
