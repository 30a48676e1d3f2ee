// A farm: from a signed webhook to the first line, jobs that are assigned and ended, workers that wait; beside other queues on
// the same PostgreSQL.

import { setMaxListeners } from 'node:events'
import { writeFileSync } from 'node:fs'

import type { Registered, Registration } from '../../../lib/farm/protocol.ts'
import type { Database } from '../../../master/farm/database.ts'
import { Ends } from '../../../master/farm/ends.ts'
import { Workers } from '../../../master/farm/workers.ts'
import { FarmerClient } from '../../../slave/sources/farmer-client.ts'
import { Farm, SECRET } from '../../fixtures/farm.ts'
import { Bell } from '../bell.ts'
import { addWorkers, FarmGround, fill, settle } from '../farm-ground.ts'
import { graphileWorker, pgBoss, plainSql } from '../farm-rivals.ts'
import type { Queue } from '../farm-rivals.ts'
import type { Contender, Scenario, Stage } from '../scenario.ts'
import { processorTime, residentOf } from './idle.ts'

/** So many jobs of one round; so many workers. */
const JOBS = { quick: 500, full: 2000 }
const WORKERS = 64

const quiet = () => undefined

/** Takes and ends jobs as a farmer does for workers that have nothing to run. */
async function drain(db: Database, farmer: Farmer, jobs: number): Promise<void> {
  let left = jobs
  const gone = new AbortController()
  setMaxListeners(0, gone.signal)
  const hand = async (worker: string) => {
    while (left > 0) {
      const work = await farmer.workers.work(worker, gone.signal)
      if (work === undefined || work === 'gone') return
      left--
      await farmer.ends.end(work.attempt, { verdict: 'success', steps: [], files: [] })
      if (left <= 0) gone.abort()
    }
  }
  await Promise.all(farmer.ids.map(hand))
  const [row] = await db<{ n: number }[]>`select count(*)::int as n from result`
  if (row!.n < jobs) throw new Error(`${row!.n} of ${jobs} jobs have a result`)
  await db`delete from result`
  await db`delete from "check"`
}

/** The parts of a farmer that give jobs and take their ends, and its workers. */
interface Farmer {
  readonly workers: Workers
  readonly ends: Ends
  readonly ids: readonly string[]
}

/** How long it takes to end a job and to assign the next one, in milliseconds, of so many that wait, with so many workers. */
export async function endAndAssign(
  stage: Stage,
  waiting: number,
  count: number,
): Promise<() => Promise<number>> {
  const ground = await FarmGround.open(stage)
  const db = await ground.connect(true)
  await addWorkers(db, count)
  await fill(db, count + waiting)
  const [TIMES, label] = [20, 'more']
  return async () => {
    let spent = 0
    for (let i = 0; i < TIMES; i++) {
      const [run] = await db<{ attempt: string }[]>`select attempt from run limit 1`
      spent += await took(async () => {
        await db`select finish_all(${db.json([{ attempt: run!.attempt, verdict: 'success' }])})`
      })
      await fill(db, 1, label)
    }
    return spent / TIMES
  }
}

async function farmQueue(ground: FarmGround): Promise<Queue> {
  const db = await ground.connect(true)
  const farmer = {
    ids: await addWorkers(db, WORKERS),
    workers: new Workers(db, () => ''),
    ends: new Ends(db),
  }
  await farmer.workers.open()
  // As workers do each second; else the farmer takes them for gone.
  const living = setInterval(() => {
    for (const worker of farmer.ids) farmer.workers.alive({ worker }).catch(quiet)
  }, 1000)
  let ring: (worker: string) => void = () => undefined
  await db.listen('farm_run', worker => ring(worker))
  return {
    drain: async count => {
      await fill(db, count)
      await drain(db, farmer, count)
    },
    one: async () => {
      const taken = new Promise<string>(done => (ring = done))
      await fill(db, 1)
      const worker = await taken
      await db`select attempt, label from run join job on num = job where worker = ${worker}`
      // What follows is not measured, but for that it is short.
      void db`select finish_all(jsonb_build_array(jsonb_build_object('attempt', attempt, 'verdict', 'success')))
        from run where worker = ${worker}`.then(() => undefined)
    },
    close: () => {
      clearInterval(living)
      farmer.workers.close()
      return Promise.resolve()
    },
  }
}

/** Ours first, then the others; one that is not installed is missing. */
async function queues(stage: Stage, round: (queue: Queue) => Promise<number>): Promise<Contender[]> {
  const ground = await FarmGround.open(stage)
  const open = async (
    name: string,
    make: (ground: FarmGround) => Promise<Queue | undefined>,
  ): Promise<Contender> => {
    const queue = await make(ground)
    if (!queue) return { name, missing: `${name}, in the directory RIVALS` }
    stage.teardown(() => queue.close())
    return { name, round: () => round(queue) }
  }
  return [
    await open('BASS', farmQueue),
    await open('plain SQL', plainSql),
    await open('graphile-worker', graphileWorker),
    await open('pg-boss', pgBoss),
  ]
}

const took = async (act: () => Promise<void>): Promise<number> => {
  const began = performance.now()
  await act()
  return performance.now() - began
}

const drainScenario: Scenario = {
  name: 'farm-drain',
  about: 'farm: jobs assigned and ended, 64 workers',
  unit: '/s',
  better: 'more',
  goal: { least: 1000, aim: 2000 },
  places: ['tmpfs', 'ext4'],
  rounds: { quick: 3, full: 10 },
  open: async stage => {
    const jobs = stage.quick ? JOBS.quick : JOBS.full
    return {
      contenders: await queues(stage, async queue => (jobs * 1000) / (await took(() => queue.drain(jobs)))),
    }
  },
}

const queueScenario: Scenario = {
  name: 'farm-queue',
  about: 'farm: a job inserted to a worker that has it',
  unit: 'ms',
  better: 'less',
  goal: { least: 5, aim: 2 },
  places: ['tmpfs', 'ext4'],
  open: async stage => ({ contenders: await queues(stage, queue => took(() => queue.one())) }),
}

const pushScenario: Scenario = {
  name: 'farm-push',
  about: 'farm: a webhook to the first line of the step, repository up to date',
  unit: 'ms',
  better: 'less',
  goal: { least: 200, aim: 100 },
  places: ['tmpfs'],
  open: async stage => {
    settle(stage)
    const farm = await Farm.make(stage)
    const bell = new Bell(farm.path('bell'))
    stage.teardown(() => bell.close())
    writeFileSync(farm.path('secret'), SECRET)
    let before = farm.commit({ Testfile: `ring: echo >'${farm.path('bell')}'\n` })
    const farmer = await farm.farmer()
    farm.worker(farmer.url)
    const polls = async () => /bass_farm_polls 1/.test(await (await fetch(`${farmer.url}/metrics`)).text())
    const push = async (heard: () => Promise<number>) => {
      while (!(await polls())) await new Promise(done => setTimeout(done, 20))
      const after = farm.commit({ count: String(Math.random()) })
      const began = performance.now()
      await farm.push(farmer.url, after, { before })
      const rung = await heard()
      before = after
      return rung - began
    }
    let toRun = 0
    return {
      contenders: [
        {
          name: 'BASS',
          round: () =>
            push(async () => {
              const { at } = await bell.next()
              const [row] = await farm.db<
                { ms: number }[]
              >`select (extract(epoch from run.started - received) * 1000)::float as ms
                from delivery, lateral (select started from run union all select started from result) run
                order by received desc, run.started desc limit 1`
              toRun = row!.ms
              return at
            }),
        },
        { name: 'of that, delivery stored to job assigned', round: () => Promise.resolve(toRun) },
      ],
    }
  },
}

const idleScenario: Scenario = {
  name: 'farm-idle',
  about: 'farm: 500 workers that wait, processor of the farmer',
  unit: '% of a core',
  better: 'less',
  goal: { least: 15, aim: 5 },
  places: ['tmpfs'],
  rounds: { quick: 1, full: 3 },
  open: async stage => {
    settle(stage)
    const farm = await Farm.make(stage)
    const farmer = await farm.farmer()
    const seconds = stage.quick ? 10 : 60
    const stop = new AbortController()
    setMaxListeners(0, stop.signal)
    stage.teardown(() => stop.abort())
    const count = 500
    for (let i = 0; i < count; i++) void wait(farmer.url, i, stop.signal)
    for (let n = 0; n < count; await new Promise(done => setTimeout(done, 200)))
      n = (await farm.db<{ n: number }[]>`select count(*)::int as n from worker`)[0]!.n
    const used = { farmer: 0, database: 0 }
    return {
      before: async () => {
        const pids = [farmer.pid, farm.postgres.pid] as const
        const before = pids.map(processorTime)
        const began = performance.now()
        await new Promise(done => setTimeout(done, seconds * 1000))
        const time = performance.now() - began
        const [one, two] = pids.map((pid, i) => ((processorTime(pid) - before[i]!) / time) * 100)
        Object.assign(used, { farmer: one, database: two })
      },
      contenders: [
        {
          name: 'BASS',
          round: () => Promise.resolve(used.farmer),
          remark: () => `farmer ${residentOf(farmer.pid).toFixed(0)} MB, for ${seconds} s`,
        },
        { name: 'PostgreSQL', round: () => Promise.resolve(used.database) },
      ],
    }
  },
}

/** A worker that only waits, and asks as one does. */
async function wait(url: string, number: number, signal: AbortSignal): Promise<void> {
  const client = new FarmerClient(url, SECRET)
  const about: Registration = { host: `h${number}`, slot: '/x', arch: 'testarch', labels: [], version: '1' }
  const { worker } = (await client.ask<Registered>('POST', '/v1/workers', about))!
  const alive = setInterval(() => void client.ask('POST', '/v1/alive', { worker }).catch(quiet), 1000)
  signal.addEventListener('abort', () => clearInterval(alive))
  while (!signal.aborted) await client.ask('GET', `/v1/work?worker=${worker}`, undefined, signal).catch(quiet)
}

export const farmScenarios: readonly Scenario[] = [pushScenario, queueScenario, drainScenario, idleScenario]
