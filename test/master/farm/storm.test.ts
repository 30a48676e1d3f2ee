// Farmers, workers and the database are killed at random instants while jobs come and run: each job has one verdict, none is
// lost, and none runs on when another attempt at it runs. `npm run test:farm` has twenty rounds.

import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'tap'

import { Balancer } from '../../fixtures/balancer.ts'
import { Farm } from '../../fixtures/farm.ts'
import type { Running } from '../../fixtures/sandbox.ts'

const ROUNDS = process.env['FARM'] === 'long' ? 20 : 1
const [LINES, WORKERS] = [6, 3]

const sleep = (ms: number) => new Promise(done => setTimeout(done, ms))

/** A command that says if another run of its job goes on at the same time. */
const lineOf = (farm: Farm, label: string) =>
  `${label}: exec 9>>'${farm.path('locks')}'/${label}-$BASS_REVISION; flock -n 9 || echo ${label} >>'${farm.path('overlaps')}'; ` +
  `echo "${label} $BASS_REVISION" >>'${farm.path('begun')}'; sleep 0.$((RANDOM % 9 + 1)); sleep 0.$((RANDOM % 9 + 1))\n`

test('whatever is killed, each job has one verdict', { timeout: ROUNDS * 120_000 }, async t => {
  const farm = await Farm.make(t)
  farm.ok('mkdir', ['locks'])
  for (const name of ['overlaps', 'begun']) writeFileSync(farm.path(name), '')
  const balancer = await Balancer.open(t)
  const farmers: (Running & { url: string })[] = []
  const startFarmer = async (i: number) => {
    farmers[i] = await farm.farmer({ FARMER_DATA: farm.path(`data-${i}`), FARMER_URL: balancer.url })
    balancer.to(...farmers.map(({ url }) => url))
  }
  await startFarmer(0)
  await startFarmer(1)
  const workers: Running[] = []
  const startWorker = (i: number) => {
    workers[i] = farm.worker(balancer.url, `worker-${i}`)
  }
  for (let i = 0; i < WORKERS; i++) startWorker(i)
  const testfile = Array.from({ length: LINES }, (_, i) => lineOf(farm, `job-${i}`)).join('')
  const revisions: string[] = []
  /** Delivers until that is acknowledged, as forges do. */
  const push = async () => {
    const revision = farm.commit({ Testfile: testfile, round: String(revisions.length) })
    revisions.push(revision)
    for (;;) {
      const id = `push-${revision}`
      if ((await farm.push(balancer.url, revision, { id }).catch(() => 0)) === 202) return
      await sleep(200)
    }
  }
  const begun = () => readFileSync(farm.path('begun'), 'utf8').split('\n').slice(0, -1)
  const random = (n: number) => Math.floor(Math.random() * n)
  const blows: Record<string, () => Promise<unknown>> = {
    database: async () => {
      await farm.postgres.stop('SIGQUIT')
      await sleep(random(1000))
      await farm.postgres.start()
    },
    farmer: async () => {
      const i = random(2)
      await farmers[i]!.kill('SIGKILL')
      await sleep(random(1000))
      await startFarmer(i)
    },
    worker: async () => {
      const i = random(WORKERS)
      await workers[i]!.kill('SIGKILL')
      await sleep(random(1000))
      startWorker(i)
    },
  }
  for (let round = 0; round < ROUNDS; round++) {
    const before = begun().length
    const pushed = push()
    while (begun().length === before) await sleep(50)
    for (const blow of Object.keys(blows).sort(() => Math.random() - 0.5)) {
      await sleep(random(1500))
      await blows[blow]!()
    }
    await pushed
  }
  const results = async () =>
    farm.db<{ label: string; revision: string; verdict: string; error: string; try: number }[]>`
      select label, revision, verdict, error, try from result`.catch(() => [])
  const all = ROUNDS * LINES
  for (let n = 0; n < all; n = (await results()).length) await sleep(200)
  const rows = await results()
  t.equal(rows.length, all)
  t.equal(new Set(rows.map(({ label, revision }) => `${label} ${revision}`)).size, all, 'one verdict each')
  t.same((await farm.db`select 1 from job`).length, 0)
  t.same((await farm.db`select 1 from run`).length, 0)
  // A job may have been lost four times.
  const bad = rows.filter(row => row.verdict !== 'success' && !(row.verdict === 'lost' && row.try >= 4))
  t.same(bad, [])
  t.equal(readFileSync(farm.path('overlaps'), 'utf8'), '', 'no two attempts at a job at once')
  t.equal(new Set(begun()).size, all, 'each was begun')
  t.comment(`${all} jobs, ${begun().length} attempts, ${ROUNDS} rounds`)
})
