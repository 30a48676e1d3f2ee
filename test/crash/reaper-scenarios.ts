// What the reaper brings to its end.

import { linkSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import type { Scenario } from './scenario.ts'
import type { World } from './world.ts'

const NAME = '1:hello:v1:testarch'

/** A task as a maker leaves it in `tasks/cur`; the counter says that its number is given out. */
function makeTask(world: World): string {
  const { tasks, ctr } = world.sandbox.spool
  const path = join(tasks.cur, NAME)
  mkdirSync(path)
  for (const [name, content] of Object.entries({
    'code.tar': 'code',
    'code-revision.txt': world.fixtures.revisions[0]! + '\n',
    'code-version.txt': 'v1\n',
    'steps.tar': 'steps',
    'steps-revision.txt': world.fixtures.revisions[0]! + '\n',
    'steps-version.txt': 'v1\n',
  })) {
    writeFileSync(join(path, name), content)
  }
  renameSync(join(ctr, '0'), join(ctr, '1'))
  return path
}

/** The job of a claim of another host, of which nothing will be heard any more. */
function makeJob(world: World, directory: string): string {
  const job = join(directory)
  mkdirSync(job)
  writeFileSync(join(job, 'alive'), '')
  const owner = {
    host: 'elsewhere',
    boot: 'b',
    slot: '/slot',
    pid: 1,
    start: '1',
    namespace: 'n',
    token: 'a'.repeat(16),
  }
  writeFileSync(
    join(job, 'owner.txt'),
    Object.entries(owner)
      .map(([key, value]) => `${key}=${value}\n`)
      .join(''),
  )
  linkSync(join(job, 'owner.txt'), join(world.sandbox.spool.tasks.cur, NAME, 'claim'))
  return job
}

const reaping = (name: string, verdict: string, setUp: (world: World) => void): Scenario => ({
  name,
  program: 'master/reaper',
  setUp,
  run: world => world.reap(),
  recover: async world => {
    await world.reap()
  },
  expected: world => ({ work: [`${world.fixtures.revisions[0]!} testarch`], verdict }),
})

export const reaperScenarios: Scenario[] = [
  reaping('a job whose slave is gone is lost once and its task published again once', 'waits', world => {
    makeTask(world)
    makeJob(world, join(world.sandbox.spool.jobs.cur, NAME))
  }),
  reaping('a claim whose slave died before it showed its job is lost once', 'waits', world => {
    makeTask(world)
    makeJob(world, join(world.sandbox.spool.jobs.tmp, `${NAME}.${'a'.repeat(16)}`))
  }),
  reaping('a waiting task that is cancelled ends once', 'cancelled', world => {
    writeFileSync(join(makeTask(world), 'cancel'), '')
  }),
  reaping('a job that is over is archived with its task', 'success', world => {
    makeTask(world)
    writeFileSync(join(makeJob(world, join(world.sandbox.spool.jobs.cur, NAME)), 'result.txt'), 'success\n')
  }),
  reaping('a lost job that is cancelled ends as cancelled', 'cancelled', world => {
    writeFileSync(join(makeTask(world), 'cancel'), '')
    makeJob(world, join(world.sandbox.spool.jobs.cur, NAME))
  }),
]
