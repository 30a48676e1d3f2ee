// Schedules: what two programs do between two calls of one another, which is rare, and known to have done harm, or to do it
// where a line of the protocol is missing. Each answers what is wrong in the end. `npm run test:mutations` breaks these
// lines, one at a time, and shows that the schedules notice.

import { existsSync, mkdirSync, readdirSync, renameSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import type { FaultState } from '../fixtures/fault.ts'
import type { Ended } from '../fixtures/sandbox.ts'
import { inspect } from './invariants.ts'
import type { Expected } from './invariants.ts'
import { World } from './world.ts'
import type { Fixtures } from './world.ts'

export interface Schedule {
  /** A sentence that is false where something is wrong. */
  readonly name: string
  /** Answers what is wrong. */
  run(world: World): Promise<string[]>
}

interface Stopped {
  /** False if it ended before it came to where it was to stop. */
  readonly stopped: boolean
  readonly state: FaultState
  readonly goOn: () => Promise<Ended>
}

/**
 * Starts a program that stops before an operation of this kind on a path with this part: `link /claim`. Of several it is that of
 * number `which`.
 */
async function stopAt(
  world: World,
  command: string,
  only: string,
  start: () => Promise<Ended>,
  which = 1,
): Promise<Stopped> {
  const more = { FAULT_LOOKS: '1', FAULT_ONLY: only, FAULT_RUMOURS: '1' }
  const state = world.arm(command, `${which}:stop`, more)
  const running = start()
  world.disarm()
  const stopped = await world.stopped(running)
  const wake = world.takeOver()
  const goOn = async () => {
    if (stopped) wake()
    return await running
  }
  return { stopped, state, goOn }
}

const make = (world: World): Promise<Ended> => world.run('master/bin/task-maker', ['--once'])
const start = (world: World) => {
  const { slot } = world
  return () => world.run('slave/bin/job-starter', [world.task], { cwd: slot })
}

const makingOf = (world: World): string => join(world.spool, 'revs/.making/hello')

const ofTip = (world: World): string[] =>
  ['testarch', 'otherarch'].map(arch => `${world.fixtures.revisions[0]!} ${arch}`)

/** What is wrong with the spool, and which of these came to where they were to stop. */
function judge(world: World, expected: Expected, ...programs: readonly Stopped[]): string[] {
  const { lost, doubled, left } = inspect(world.spool, expected)
  const unstopped = programs.flatMap(({ stopped }, i) => (stopped ? [] : [`program ${i} did not stop`]))
  return [...unstopped, ...lost, ...doubled, ...left]
}

async function makeAndReap(world: World): Promise<void> {
  await world.makeAll()
  await world.reap()
}

/** What is wrong after a schedule, in a world of its own. */
export async function trySchedule(schedule: Schedule, fixtures: Fixtures): Promise<string[]> {
  const world = new World(fixtures)
  try {
    return (await schedule.run(world)).map(wrong => `${schedule.name}: ${wrong}`)
  } finally {
    await world.dispose()
  }
}

export const schedules: readonly Schedule[] = [
  {
    name: 'a maker that sweeps leaves the batch that another builds meanwhile',
    run: async world => {
      mkdirSync(makingOf(world), { recursive: true })
      const sweeper = await stopAt(world, 'master/task-maker', 'list /tasks/tmp', () => make(world))
      world.push(world.fixtures.revisions[0]!)
      const maker = await stopAt(world, 'master/task-maker', 'link /names', () => make(world))
      await sweeper.goOn()
      await maker.goOn()
      await makeAndReap(world)
      return judge(world, { work: ofTip(world), verdict: 'waits' }, sweeper, maker)
    },
  },
  {
    name: 'a decision that is linked into a record that is over, by a remembered path, decides nothing',
    run: async world => {
      world.push(world.fixtures.revisions[0]!)
      const late = await stopAt(world, 'master/task-maker', 'link /names', () => make(world))
      const record = readdirSync(makingOf(world))[0]!
      const maker = await stopAt(world, 'master/task-maker', 'rename .done-', () => make(world))
      // It has published the tasks and ended the record, and the deletion of that has begun.
      const [before, now] = [join(makingOf(world), record), join(makingOf(world), `.done-${record}`)]
      renameSync(before, now)
      unlinkSync(join(now, 'names'))
      late.state.tellRumour(before, now)
      const ended = await late.goOn()
      await maker.goOn()
      await makeAndReap(world)
      const linked = ended.stdout === '' ? [] : [`it printed ${ended.stdout}`]
      return [...linked, ...judge(world, { work: ofTip(world), verdict: 'waits' }, late, maker)]
    },
  },
  {
    name: 'a reaper does not archive a job whose task came and ended while it listed',
    run: async world => {
      const reap = () => world.run('master/bin/reaper', ['--once'], { env: { SETTLE: '0' } })
      const reaper = await stopAt(world, 'master/reaper', 'list /jobs/cur', reap)
      world.makeTask()
      const taker = await stopAt(world, 'slave/job-starter', 'unlink /.new.', start(world))
      await reaper.goOn()
      await taker.goOn()
      await world.reap()
      const work = [`${world.fixtures.revisions[0]!} testarch`]
      return judge(world, { work, verdict: 'success' }, reaper, taker)
    },
  },
  {
    name: 'a reaper looks once more for a verdict before it says that a job is lost',
    run: async world => {
      world.makeTask()
      const job = world.makeJob(join(world.sandbox.spool.jobs.cur, world.task))
      // It sets the times in each round from half of LOST_AFTER on: after 3, 4 and 5 s, when it is to decide.
      const times = `times /jobs/cur/${world.task}`
      const reaper = await stopAt(world, 'master/reaper', times, () => world.reap(), 3)
      writeFileSync(join(job, 'result.txt'), 'success\n')
      const { stderr } = await reaper.goOn()
      await world.reap()
      const said = stderr.includes('is lost') ? [`it said ${stderr}`] : []
      const work = [`${world.fixtures.revisions[0]!} testarch`]
      return [...said, ...judge(world, { work, verdict: 'success' }, reaper)]
    },
  },
  {
    name: 'a claim that was refused leaves no job to be',
    run: async world => {
      world.makeTask()
      const state = world.arm('slave/job-starter', '1:ENOSPC', { FAULT_ONLY: 'link /claim' })
      const { code } = await start(world)()
      world.disarm()
      const left = readdirSync(world.sandbox.spool.jobs.tmp)
      const ended = state.fired && code === 111 ? [] : [`it ended with ${String(code)}`]
      return [...ended, ...left.map(name => `jobs/tmp/${name} is left`)]
    },
  },
  {
    name: 'a cancel between a loss and its retry ends the work, also when the retry is published first',
    run: async world => {
      const task = world.makeTask()
      world.makeJob(join(world.sandbox.spool.jobs.cur, world.task))
      // After it has looked for a cancel for the last time, and again when the clone is published.
      const reaper = await stopAt(world, 'master/reaper', 'link /retried-as', () => world.reap())
      writeFileSync(join(task, 'cancel'), '')
      await reaper.goOn()
      await world.reap()
      const retry = readdirSync(world.sandbox.spool.tasks.old).find(name => name.startsWith('2:'))
      const verdict = ['cur', 'old']
        .map(place => join(world.spool, 'jobs', place, String(retry), 'result.txt'))
        .filter(path => existsSync(path))
      const work = [`${world.fixtures.revisions[0]!} testarch`]
      return [
        ...(retry !== undefined && verdict.length === 1
          ? []
          : ['what it was published as was not cancelled']),
        ...judge(world, { work, verdict: 'cancelled' }, reaper),
      ]
    },
  },
  {
    name: 'a retry whose parent is pruned before it is recorded leaves nothing',
    run: async world => {
      const { tasks, jobs } = world.sandbox.spool
      const task = world.makeTask()
      const job = world.makeJob(join(jobs.cur, world.task))
      writeFileSync(join(job, 'result.txt'), 'success\n')
      renameSync(task, join(tasks.old, world.task))
      renameSync(job, join(jobs.old, world.task))
      const retry = () => world.run('bin/bass', ['retry', world.task])
      const retrier = await stopAt(world, 'bin/bass', 'link /retried-as', retry)
      await world.run('bin/bass', ['prune', '--keep-last', '0', '--commit'])
      const { code } = await retrier.goOn()
      await world.reap()
      const ended = code === 0 ? ['it said that it was done'] : []
      return [...ended, ...judge(world, { work: [], verdict: 'waits' }, retrier)]
    },
  },
]
