// Figures of a farmer for Prometheus, and for whoever starts and stops machines by the length of the queue.

import { formatFamily } from '../web/metrics.ts'
import type { Database } from './database.ts'
import type { Workers } from './workers.ts'

interface Kind {
  readonly wants: string
  readonly waiting: number
  readonly running: number
  readonly oldest: number
}

const kinds = (db: Database) => db<Kind[]>`
  select wants, count(*) filter (where attempt is null)::int as waiting, count(attempt)::int as running,
    coalesce(extract(epoch from now() - min(made) filter (where attempt is null)), 0)::float as oldest
  from job left join run on run.job = job.num group by wants order by wants`

const workerStates = (db: Database) => db<{ arch: string; busy: boolean; n: number }[]>`
  select arch, attempt is not null as busy, count(*)::int as n
  from worker left join run on run.worker = worker.id group by 1, 2 order by 1, 2`

/** `GET /api/queue`: for each kind of worker that jobs ask for, how many wait and run; and how many workers there are. */
export async function queueJson(db: Database) {
  const [jobs, workers] = await Promise.all([kinds(db), workerStates(db)])
  const count = (arch: string, busy: boolean) =>
    workers.filter(one => one.arch === arch && one.busy === busy).reduce((sum, { n }) => sum + n, 0)
  return {
    waiting: jobs.reduce((sum, { waiting }) => sum + waiting, 0),
    running: jobs.reduce((sum, { running }) => sum + running, 0),
    jobs: jobs.map(({ wants, waiting, running, oldest }) => ({
      wants,
      waiting,
      running,
      oldestSeconds: oldest,
    })),
    workers: [...new Set(workers.map(({ arch }) => arch))].map(arch => ({
      arch,
      idle: count(arch, false),
      busy: count(arch, true),
    })),
  }
}

export async function farmMetrics(db: Database, workers: Workers): Promise<string> {
  const [jobs, states, [totals]] = await Promise.all([
    kinds(db),
    workerStates(db),
    db<{ checks: number; deliveries: number; late: number }[]>`
      select (select count(*) from "check")::int as checks,
        (select count(*) from delivery where body is not null)::int as deliveries,
        coalesce((select extract(epoch from now() - min(received)) from delivery where body is not null), 0)::float as late`,
  ])
  const verdicts = await db<{ verdict: string; n: number }[]>`
    select verdict, count(*)::int as n from result where ended > now() - interval '1 hour' group by 1 order by 1`
  return [
    formatFamily('bass_farm_jobs', 'Jobs by what they ask for and their state.', [
      ...jobs.map(({ wants, waiting }) => [{ wants, state: 'waiting' }, waiting] as const),
      ...jobs.map(({ wants, running }) => [{ wants, state: 'running' }, running] as const),
    ]),
    formatFamily(
      'bass_farm_oldest_waiting_seconds',
      'For how long the first of the waiting jobs has waited.',
      jobs.map(({ wants, oldest }) => [{ wants }, oldest] as const),
    ),
    formatFamily(
      'bass_farm_workers',
      'Workers by architecture and state.',
      states.map(({ arch, busy, n }) => [{ arch, state: busy ? 'busy' : 'idle' }, n] as const),
    ),
    formatFamily(
      'bass_farm_verdicts_last_hour',
      'Verdicts of the last hour.',
      verdicts.map(({ verdict, n }) => [{ verdict }, n] as const),
    ),
    formatFamily('bass_farm_unposted_checks', 'Checks that forges are still to be told.', [
      [{}, totals!.checks],
    ]),
    formatFamily('bass_farm_open_deliveries', 'Deliveries that are not worked off.', [
      [{}, totals!.deliveries],
    ]),
    formatFamily('bass_farm_oldest_delivery_seconds', 'Age of the first of them.', [[{}, totals!.late]]),
    formatFamily('bass_farm_polls', 'Workers that wait at this farmer.', [[{}, workers.waiting]]),
    formatFamily('bass_farm_resident_bytes', 'Memory of this farmer.', [[{}, process.memoryUsage.rss()]]),
  ].join('')
}
