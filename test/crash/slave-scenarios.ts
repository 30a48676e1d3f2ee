// From tasks to jobs.

import { join } from 'node:path'

import type { Scenario } from './scenario.ts'
import type { World } from './world.ts'

const expected = (world: World) => ({
  work: [`${world.fixtures.revisions[0]!} testarch`],
  verdict: 'success',
  steps: ['10-test'],
})

/** What an operator starts again: takers and a reaper, until there is nothing to do. */
async function recover(world: World): Promise<void> {
  for (let i = 0; i < 5; i++) {
    await world.takeAll()
    await world.reap()
    if (world.sandbox.ls('spool/tasks/cur').length === 0) break
  }
}

export const slaveScenarios: Scenario[] = [
  {
    name: 'a task that job-starter runs has one verdict that stands',
    program: 'slave/job-starter',
    setUp: world => void world.makeTask(),
    run: world => world.run('slave/bin/job-starter', [world.task], { cwd: world.slot }),
    recover,
    expected,
  },
  {
    name: 'a task that task-taker runs has one verdict that stands',
    program: 'slave/task-taker',
    setUp: world => void world.makeTask(),
    run: world => world.takeAll(),
    recover,
    expected,
  },
  {
    name: 'a job whose taker died before is lost once and its work done once more',
    program: 'slave/task-taker',
    setUp: world => {
      world.makeTask()
      world.makeJob(join(world.sandbox.spool.jobs.cur, world.task), { host: 'testhost', slot: world.slot })
    },
    run: world => world.takeAll(),
    recover,
    expected,
  },
]
