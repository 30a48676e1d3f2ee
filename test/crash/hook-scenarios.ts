// From a push to events. The hook is several processes of several programs: their operations count together, and a crash
// takes them all.

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import type { Ended } from '../fixtures/sandbox.ts'
import type { Scenario } from './scenario.ts'
import type { World } from './world.ts'

/** The repository that is pushed to. Within the spool, so that a power cut takes what is pending in it as well. */
const repositoryOf = (world: World): string => join(world.spool, 'hello.git')
const pendingOf = (world: World): string => join(repositoryOf(world), 'bass-pending')
const pendingIn = (world: World): string[] => world.sandbox.ls('spool/hello.git/bass-pending')

/** What git tells the hook of the first push of a branch. */
const updated = (world: World): string =>
  `${'0'.repeat(40)} ${world.fixtures.revisions.at(-1)!} refs/heads/main\n`

async function hook(world: World, input: string): Promise<Ended> {
  const ended = await world.run('hooks/post-receive', [], { cwd: repositoryOf(world), input })
  await world.quiet()
  return ended
}

/** The worlds in which a hook wrote down what is to be done, or said that all is well: then it will be done. */
const promised = new WeakSet<World>()

function isWrittenDown(world: World): boolean {
  const holds = (file: string) => readFileSync(join(pendingOf(world), file), 'utf8').includes(updated(world))
  return world.hasEvents() || pendingIn(world).some(holds)
}

const works = ({ fixtures }: World): string[] =>
  fixtures.revisions.flatMap(revision => [`${revision} testarch`, `${revision} otherarch`])

export const hookScenarios: Scenario[] = [
  {
    name: 'a push that the hook has written down becomes its events exactly once',
    // It is many processes, which stop and fail together.
    without: ['listing', 'away', 'two stops'],
    setUp: world => {
      world.cloneRepository(repositoryOf(world))
      execFileSync('git', ['config', 'bass.revs', world.revs], { cwd: repositoryOf(world) })
    },
    run: world => hook(world, updated(world)),
    recover: async (world, ended) => {
      if (ended?.code === 0 || isWrittenDown(world)) promised.add(world)
      await hook(world, '')
      // What a hook that was cut short has not forgotten it makes again, were it taken meanwhile, as its header says.
      if (pendingIn(world).length > 0) return
      await world.makeAll()
      await world.reap()
    },
    expected: world => ({
      work: promised.has(world) ? works(world) : [],
      may: works(world),
      verdict: 'waits',
      notes: pendingIn(world).map(name => `bass-pending/${name}`),
    }),
  },
]
