// The commands that people and shell scripts run: each may be cut short, and run again.

import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import type { Ended } from '../fixtures/sandbox.ts'
import type { Scenario } from './scenario.ts'
import type { World } from './world.ts'

const BUNDLE = ':hello:v1:'

/** A task-maker in shell: makes a bundle, has it cloned, moves what is printed to `tasks/cur`, removes the bundle. */
async function makeInShell(world: World): Promise<Ended> {
  const { tmp, cur } = world.sandbox.spool.tasks
  const bundle = join(tmp, BUNDLE)
  rmSync(bundle, { recursive: true, force: true })
  mkdirSync(bundle)
  for (const [name, content] of world.fixtures.task) writeFileSync(join(bundle, name), content)
  const names = ['testarch', 'otherarch'].map(arch => BUNDLE + arch)
  const ended = await world.run('master/bin/clone-with-ctr', [BUNDLE, ...names], { cwd: tmp })
  if (ended.code !== 0) return ended
  for (const name of ended.stdout.trim().split('\n')) renameSync(join(tmp, name), join(cur, name))
  rmSync(bundle, { recursive: true })
  return ended
}

/** A task that is over, with its job, both archived. */
function makeOld(world: World): void {
  const { tasks, jobs } = world.sandbox.spool
  const task = world.makeTask()
  const job = world.makeJob(join(jobs.cur, world.task))
  writeFileSync(join(job, 'result.txt'), 'success\n')
  renameSync(task, join(tasks.old, world.task))
  renameSync(job, join(jobs.old, world.task))
}

const reap = (world: World) => world.reap()
const prune = (world: World) => world.run('bin/bass', ['prune', '--older-than', '0', '--commit'])
const one = (world: World) => [`${world.fixtures.revisions[0]!} testarch`]

export const commandScenarios: Scenario[] = [
  {
    name: 'what clone-with-ctr prints is complete, and has numbers of its own',
    program: 'master/clone-with-ctr',
    acknowledges: true,
    // A task-maker in shell has its project for itself.
    without: ['undead', 'undead later', 'listing', 'away', 'two stops'],
    setUp: () => undefined,
    run: makeInShell,
    recover: async world => {
      if (world.sandbox.ls('spool/tasks/cur').length === 0) await makeInShell(world)
      await world.reap()
    },
    expected: world => ({
      work: ['testarch', 'otherarch'].map(arch => `${world.fixtures.revisions[0]!} ${arch}`),
      verdict: 'waits',
    }),
  },
  {
    name: 'a task that a person retries is published again once or not at all',
    program: 'bin/bass',
    acknowledges: true,
    setUp: makeOld,
    run: world => world.run('bin/bass', ['retry', world.task]),
    recover: reap,
    expected: world => ({ work: one(world), verdict: 'success' }),
  },
  {
    name: 'what is pruned is gone as a whole',
    program: 'bin/bass',
    deletes: true,
    setUp: makeOld,
    run: prune,
    recover: async world => {
      await prune(world)
      await world.reap()
    },
    expected: () => ({ work: [], verdict: 'success' }),
  },
]
