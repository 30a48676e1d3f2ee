// What people type that changes the spool. Whoever is not told that it is done types it again.

import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import type { Ended } from '../fixtures/sandbox.ts'
import type { Scenario } from './scenario.ts'
import type { World } from './world.ts'

type Verb = Omit<Scenario, 'program' | 'run' | 'recover'> & {
  readonly words: (world: World) => string[]
  /** Asked by whoever does not know whether it is done: true if it is. By default he types it again in any case. */
  readonly isDone?: (world: World) => boolean
  /** What goes on in the spool when the person is content. */
  readonly goOn: (world: World) => Promise<unknown>
}

const verb = ({ words, isDone, goOn, ...scenario }: Verb): Scenario => {
  const type = (world: World): Promise<Ended> => world.run('bin/bass', words(world))
  return {
    ...scenario,
    program: 'bin/bass',
    run: type,
    recover: async (world, ended) => {
      if (ended && ended.code !== 0 && !isDone?.(world) && (await type(world)).signal) return
      await goOn(world)
    },
  }
}

const one = (world: World) => [`${world.fixtures.revisions[0]!} testarch`]
const ofTip = ({ fixtures }: World) =>
  ['testarch', 'otherarch'].map(arch => `${fixtures.revisions.at(-1)!} ${arch}`)

const reap = (world: World) => world.reap()

const makeAndReap = async (world: World): Promise<void> => {
  await world.makeAll()
  await world.reap()
}

const repositoryOf = (world: World): string => world.sandbox.path('hello.git')

export const verbScenarios: Scenario[] = [
  verb({
    name: 'a spool that is made can be used, with its project and its hook',
    setUp: world => {
      for (const name of readdirSync(world.spool)) rmSync(join(world.spool, name), { recursive: true })
      world.cloneRepository(repositoryOf(world))
    },
    words: world => [
      'init',
      world.spool,
      '--project',
      'hello',
      '--code',
      repositoryOf(world),
      '--archs',
      'testarch otherarch',
      '--hook',
    ],
    goOn: async world => {
      const tip = world.fixtures.revisions.at(-1)!
      const input = `${world.fixtures.revisions[0]!} ${tip} refs/heads/main\n`
      if (world.sandbox.ls('spool/tasks/cur').length === 0)
        await world.run(join(repositoryOf(world), 'hooks/post-receive'), [], {
          cwd: repositoryOf(world),
          input,
        })
      await world.quiet()
      await makeAndReap(world)
    },
    // Nobody pushes before he was told that the hook is there.
    without: ['undead', 'undead later', 'listing', 'away', 'two stops'],
    expected: world => ({
      work: ofTip(world),
      verdict: 'waits',
    }),
  }),
  verb({
    name: 'an event that a person makes becomes its tasks exactly once, with all of its lines',
    setUp: () => undefined,
    words: () => ['event', 'hello', 'main', 'COLOUR=red'],
    // Once it was taken, the same event would be another one.
    isDone: world => world.hasEvents() || world.sandbox.ls('spool/tasks/cur').length > 0,
    goOn: makeAndReap,
    expected: world => ({ work: ofTip(world), verdict: 'waits', params: 'COLOUR=red' }),
  }),
  verb({
    name: 'a task that a person cancels is cancelled',
    setUp: world => void world.makeTask(),
    words: () => ['cancel', '1'],
    goOn: reap,
    expected: world => ({ work: one(world), verdict: 'cancelled' }),
  }),
  verb({
    name: 'what a person pauses is paused',
    setUp: world => void world.makeTask(),
    words: () => ['pause', 'all', 'hello'],
    goOn: reap,
    expected: world => ({ work: one(world), verdict: 'waits', pauses: ['all', 'project:hello'] }),
  }),
  verb({
    name: 'what a person resumes is taken again',
    setUp: world => {
      world.makeTask()
      mkdirSync(join(world.spool, 'pause'))
      writeFileSync(join(world.spool, 'pause/all'), '')
    },
    words: () => ['resume', 'all'],
    goOn: async world => {
      await world.takeAll()
      await world.reap()
    },
    expected: world => ({ work: one(world), verdict: 'success' }),
  }),
]
