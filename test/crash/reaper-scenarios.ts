// What the reaper brings to its end.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

import type { Scenario } from './scenario.ts'
import type { World } from './world.ts'

const reaping = (name: string, verdict: string, setUp: (world: World) => void): Scenario => ({
  name,
  program: 'master/reaper',
  setUp,
  run: world => world.reap(),
  recover: world => world.reap(),
  expected: world => ({ work: [`${world.fixtures.revisions[0]!} testarch`], verdict }),
})

/** The job of the task, shown and running, as far as one can see. */
const showJob = (world: World): string => world.makeJob(join(world.sandbox.spool.jobs.cur, world.task))

export const reaperScenarios: Scenario[] = [
  reaping('a job whose slave is gone is lost once and its task published again once', 'waits', world => {
    world.makeTask()
    showJob(world)
  }),
  reaping('a claim whose slave died before it showed its job is lost once', 'waits', world => {
    world.makeTask()
    world.makeJob(join(world.sandbox.spool.jobs.tmp, `${world.task}.${'a'.repeat(16)}`))
  }),
  reaping('a waiting task that is cancelled ends once', 'cancelled', world => {
    writeFileSync(join(world.makeTask(), 'cancel'), '')
  }),
  reaping('a job that is over is archived with its task', 'success', world => {
    world.makeTask()
    writeFileSync(join(showJob(world), 'result.txt'), 'success\n')
  }),
  reaping('a lost job that is cancelled ends as cancelled', 'cancelled', world => {
    writeFileSync(join(world.makeTask(), 'cancel'), '')
    showJob(world)
  }),
]
