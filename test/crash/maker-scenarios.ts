// From events to tasks.

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

export const makerScenarios: Scenario[] = [
  making('an event becomes its tasks exactly once', 1, () => undefined),
  making('an event that waits behind another becomes its tasks exactly once', 2, () => undefined),
]
