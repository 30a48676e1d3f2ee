// From events to tasks.

import { mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import type { Scenario } from './scenario.ts'
import type { World } from './world.ts'

const making = (name: string, count: number, setUp: (world: World) => Promise<void> | void): Scenario => ({
  name,
  program: 'master/task-maker',
  acknowledges: true,
  setUp: async world => {
    await setUp(world)
    world.push(...world.fixtures.revisions.slice(0, count))
  },
  run: world => world.run('master/bin/task-maker', ['--once']),
  recover: async world => {
    await world.makeAll()
    await world.reap()
  },
  expected: world => ({
    work: world.fixtures.revisions
      .slice(0, count)
      .flatMap(revision => [`${revision} testarch`, `${revision} otherarch`]),
    verdict: 'waits',
  }),
})

/** Of no repository. */
const NOBODYS = 'd'.repeat(40)

const makingOf = (world: World): string => join(world.spool, 'revs/.making/hello')

/** Lets the failed tries of all events be old enough for one more, and for giving up. */
function letTimePass(world: World): void {
  for (const record of readdirSync(makingOf(world))) {
    const tries = readdirSync(join(makingOf(world), record)).filter(name => name.startsWith('.try-'))
    for (const [i, name] of tries.entries()) {
      const minutesAgo = Date.now() / 1000 - 60 * (60 - i)
      utimesSync(join(makingOf(world), record, name), minutesAgo, minutesAgo)
    }
  }
}

export const makerScenarios: Scenario[] = [
  making('an event becomes its tasks exactly once', 1, () => undefined),
  making('an event that waits behind another becomes its tasks exactly once', 2, () => undefined),
  {
    name: 'an event that cannot be made into tasks is given up once',
    program: 'master/task-maker',
    exits: 100,
    setUp: world => {
      const record = join(makingOf(world), 'e'.repeat(16))
      mkdirSync(join(record, 'heads/main'), { recursive: true })
      writeFileSync(join(record, 'heads/main', NOBODYS), '')
      for (const n of [1, 2, 3, 4]) writeFileSync(join(record, `.try-${String(n).repeat(16)}`), 'why\n')
      letTimePass(world)
    },
    run: world => world.run('master/bin/task-maker', ['--once']),
    recover: async world => {
      letTimePass(world)
      await world.makeAll()
      await world.reap()
    },
    expected: () => ({ work: [], verdict: 'waits', failed: [NOBODYS] }),
  },
]
