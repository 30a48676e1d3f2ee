// What should not grow, or no faster than its size: each curve is a scenario whose contenders are the sizes, so that they
// take turns and whatever else the machine does befalls them all.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'

import { SpoolMaker } from '../../fixtures/spool-maker.ts'
import { files } from '../code.ts'
import { Ground } from '../ground.ts'
import type { Contender, Scenario, Stage } from '../scenario.ts'
import { endAndAssign } from '../scenarios/farm.ts'
import { claimants } from '../scenarios/claims.ts'
import { stepsRunner, writeLines } from '../scenarios/logs.ts'
import { pushAndSee, standUp } from '../scenarios/push.ts'
import { layTaskThatRings, publishAndSee } from '../scenarios/task.ts'

export type Shape = 'flat' | 'linear'

export interface Curve extends Scenario {
  /** What the sizes count. */
  readonly along: string
  readonly shape: Shape
}

interface Sizes {
  readonly quick: readonly number[]
  readonly full: readonly number[]
}

/** From `first`, each four times the one before. */
const fourfold = (first: number, count: number) => Array.from({ length: count }, (_, i) => first * 4 ** i)

const CROWDS: Sizes = { quick: fourfold(1000, 3), full: fourfold(1000, 4) }
const TAKERS: Sizes = { quick: [1, 2, 4, 8], full: [1, 2, 4, 8, 16, 32] }
const MEBIBYTES: Sizes = { quick: [8, 16, 32], full: [8, 16, 32, 64, 128] }

const TRIVIAL = { '10-nothing': '#!/bin/sh\n:\n' }

type Measure = (stage: Stage, size: number) => Contender['round'] | Promise<Contender['round']>

function curve(
  about: string,
  along: string,
  shape: Shape,
  sizes: Sizes,
  rounds: Scenario['rounds'] & object,
  measure: Measure,
  unit: Curve['unit'] = 'ms',
): Curve {
  const open: Scenario['open'] = async stage => {
    const contenders: Contender[] = []
    for (const size of sizes[stage.quick ? 'quick' : 'full']) {
      const round = await measure(stage, size)
      contenders.push({ name: String(size), ...(round ? { round } : {}) })
    }
    return { contenders }
  }
  return { name: 'growth', about, along, shape, unit, better: 'less', places: ['tmpfs'], rounds, open }
}

export const curves: readonly Curve[] = [
  curve(
    'a job of a farm that ends, and the next one',
    'waiting jobs, 64 workers',
    'flat',
    { quick: [100, 1000, 10_000], full: [100, 1000, 10_000] },
    { quick: 5, full: 20 },
    (stage, waiting) => endAndAssign(stage, waiting, 64),
  ),
  curve(
    'a job of a farm that ends, and the next one',
    'workers, 1,000 waiting jobs',
    'linear',
    { quick: [8, 64, 500], full: [8, 64, 500] },
    { quick: 5, full: 20 },
    (stage, workers) => endAndAssign(stage, 1000, workers),
  ),
  curve(
    'a claim, 2 takers',
    'waiting tasks',
    'flat',
    { quick: fourfold(125, 3), full: fourfold(125, 4) },
    { quick: 2, full: 2 },
    (stage, waiting) => each(claimants('', stage, waiting, { clients: 2 })),
  ),
  curve('a claim of 500', 'takers', 'linear', TAKERS, { quick: 2, full: 2 }, (stage, clients) =>
    each(claimants('', stage, 500, { clients })),
  ),
  curve('a trivial job of 64', 'takers', 'flat', TAKERS, { quick: 1, full: 1 }, jobsOfTakers),
  curve(
    'a task, to its first line',
    'tasks that wait for others',
    'linear',
    CROWDS,
    { quick: 5, full: 10 },
    async (stage, others) => {
      const ground = await withTaker(stage)
      fill(ground.spool.tasks.cur, others, 'otherarch')
      const template = layTaskThatRings(ground)
      return () => publishAndSee(ground, template)
    },
  ),
  curve('a trivial job', 'old jobs', 'flat', CROWDS, { quick: 10, full: 20 }, async (stage, old) => {
    const ground = await withTaker(stage)
    ground.start('master/bin/reaper')
    fill(ground.spool.tasks.old, old, 'testarch')
    fill(ground.spool.jobs.old, old, 'testarch')
    const template = ground.layTask(TRIVIAL)
    return () => jobs(ground, template, 1)
  }),
  curve('`bass status`', 'old jobs', 'linear', CROWDS, { quick: 5, full: 10 }, (stage, old) => {
    const ground = new Ground(stage)
    const spool = ground.makeSpool()
    fill(spool.tasks.old, old, 'testarch')
    fill(spool.jobs.old, old, 'testarch')
    // More than are shown, so that none of the empty ones is looked into.
    for (let i = 1; i <= 20; i++) new SpoolMaker(spool).finishedJob(`${2_000_000 + i}:hello:v1:testarch`)
    return status(ground)
  }),
  curve(
    '`bass status`',
    'waiting tasks',
    'linear',
    { quick: fourfold(100, 3), full: fourfold(100, 4) },
    { quick: 3, full: 10 },
    (stage, waiting) => {
      const ground = new Ground(stage)
      const maker = new SpoolMaker(ground.makeSpool())
      for (let i = 1; i <= waiting; i++) maker.waitingTask(`${i}:hello:v1:testarch`)
      return status(ground)
    },
  ),
  curve(
    'a log through labels',
    'MiB of log',
    'linear',
    MEBIBYTES,
    { quick: 2, full: 5 },
    (stage, mebibytes) => {
      const { round } = runner(stage, mebibytes)
      return async () => (mebibytes / (await round!())) * 1000
    },
  ),
  curve(
    'memory for a log',
    'MiB of log',
    'flat',
    MEBIBYTES,
    { quick: 1, full: 3 },
    (stage, mebibytes) => {
      const { round, peak } = runner(stage, mebibytes)
      return async () => {
        await round!()
        return peak()
      }
    },
    'MB',
  ),
  curve(
    '`git push` to the first line',
    'files of 10 kB',
    'linear',
    { quick: fourfold(50, 3), full: fourfold(50, 4) },
    { quick: 3, full: 3 },
    async (stage, count) => {
      const ground = new Ground(stage)
      await standUp(ground, files(count, 10_240))
      return () => {
        ground.commit()
        return pushAndSee(ground)
      }
    },
  ),
]

/** What one of many costs, of a contender that answers how many there are in a second. */
function each({ round }: Contender): Contender['round'] {
  return async () => 1000 / (await round!())
}

/** Empty directories named as tasks and jobs are. Their numbers leave room between them for others. */
function fill(directory: string, count: number, arch: string): void {
  for (let i = 1; i <= count; i++) mkdirSync(join(directory, `${1_000_000 + i}:hello:v1:${arch}`))
}

async function withTaker(stage: Stage): Promise<Ground> {
  const ground = new Ground(stage)
  ground.init()
  await ground.takers(1)
  return ground
}

/** What each of so many jobs takes, from the first task's rename until the last has left `cur`. */
async function jobs(ground: Ground, template: string, count: number): Promise<number> {
  const { publish } = ground.makeTasks(template, count)
  const began = performance.now()
  publish()
  return ((await ground.until(ground.spool.tasks.cur, 0)) - began) / count
}

/** The takers of one size are there only for their round: all at once would take gigabytes. */
function jobsOfTakers(stage: Stage, takers: number): Contender['round'] {
  return async () => {
    const ground = new Ground(stage)
    ground.init()
    await ground.takers(takers)
    const template = ground.layTask(TRIVIAL)
    // Each of them is slow at first, as a Node is whose code has not been compiled yet.
    await jobs(ground, template, 40 * takers)
    const took = await jobs(ground, template, 64)
    await ground.killAll()
    return took
  }
}

function status(ground: Ground): Contender['round'] {
  return () => {
    const began = performance.now()
    ground.ok('bin/bass', ['status'])
    return Promise.resolve(performance.now() - began)
  }
}

function runner(stage: Stage, mebibytes: number) {
  const ground = new Ground(stage)
  const input = ground.path('input')
  writeLines(input, mebibytes)
  return stepsRunner(ground, input)
}
