// What is rubbish, and who clears it away.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import type { Scenario } from './scenario.ts'
import type { World } from './world.ts'

/** A directory with a file in it. */
function litter(directory: string, file: string, content = ''): void {
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, file), content)
}

/** What reapers find beside a job that is over: a claim that came second, a retry nobody recorded, half-made clones. */
function leaveRubbish(world: World): void {
  const { tasks, jobs } = world.sandbox.spool
  world.makeTask()
  writeFileSync(join(world.makeJob(join(jobs.cur, world.task)), 'result.txt'), 'success\n')
  litter(join(jobs.tmp, `${world.task}.${'b'.repeat(16)}`), 'alive')
  litter(join(jobs.cur, `.dead-${'b'.repeat(16)}`), 'alive')
  litter(join(tasks.tmp, ':hello:v1:'), 'code.tar')
  litter(join(tasks.tmp, `.1:hello:v1:testarch.${'b'.repeat(16)}`), 'code.tar')
}

/** What makers find: a batch whose record is done, a record that holds no event, one that is done and half deleted. */
function leaveHalfMade(world: World): void {
  const making = join(world.spool, 'revs/.making/hello')
  const [record, batch] = ['a'.repeat(16), 'b'.repeat(16)]
  litter(join(world.sandbox.spool.tasks.tmp, `.hello.${record}.${batch}`, '1:hello:v1:testarch'), 'code.tar')
  litter(join(making, `.done-${record}`), 'names', batch + '\n')
  mkdirSync(join(making, batch, 'heads/main'), { recursive: true })
}

const work = (world: World) => [`${world.fixtures.revisions[0]!} testarch`]

export const sweeperScenarios: Scenario[] = [
  {
    name: 'what is rubbish is cleared away by the reaper, and nothing else',
    program: 'master/reaper',
    setUp: leaveRubbish,
    run: world => world.reap(),
    recover: async world => {
      await world.reap()
    },
    expected: world => ({ work: work(world), verdict: 'success' }),
  },
  {
    name: 'what makers left half-made is cleared away by the next one',
    program: 'master/task-maker',
    setUp: leaveHalfMade,
    run: world => world.run('master/bin/task-maker', ['--once']),
    recover: async world => {
      await world.makeAll()
      await world.reap()
    },
    expected: () => ({ work: [], verdict: 'waits' }),
  },
]
