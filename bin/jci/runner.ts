// git jci runner: asks a server for jobs and runs each in a container of its own.

import { randomBytes } from 'node:crypto'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { LRUCache } from 'lru-cache'

import { EXIT, Fatal, lasting } from '../../lib/base/exit.ts'
import { duration, optional, setting } from '../../lib/base/settings.ts'
import { pauseIn } from '../../lib/forge/pause.ts'
import { isCommitId } from '../../lib/git/commit-id.ts'
import { command } from '../../lib/system/command.ts'
import { makeDirectories } from '../../lib/system/directories.ts'
import { publishFile, readIfThere } from '../../lib/system/durable.ts'
import { say, warn } from '../../lib/system/log.ts'
import { OURS } from './ours.ts'
import { takeLock } from './parts/lock.ts'
import type { Assigned, JobPlace } from './runner/place.ts'
import { refuser } from './runner/reason.ts'
import { RUNNER_NEEDS, RUNNER_SETTINGS } from './settings.ts'

/** Spans of time, in milliseconds. */
interface Times {
  /** Between two polls, and at random up to `jitter` more. */
  readonly pause: number
  readonly jitter: number
  /** Between two tries to reach a server that is away, at most. */
  readonly away: number
  /** Between two looks for jobs whose time is over. */
  readonly reap: number
}

/** How long a busy server is left alone: at least, and where it does not say. */
const BUSY_WAIT_MIN_MS = 1000
const BUSY_WAIT_MS = 5000

/** How often this runner tries to start a job: less often than a server queues it again, so that there is an end with a reason. */
const START_TRIES = 3

const TIMES: Times = { pause: 5000, jitter: 2000, away: 60_000, reap: 60_000 }

export const verb = command(
  {
    name: 'git-jci runner',
    usage: '',
    operands: [0, 0],
    about: `Asks a git-jci server for jobs, and runs each in a container of its own.

A job fetches its commit, runs 'git-jci run' and pushes what came of it. Its container has limits, no socket, and no
directory of this host but this tool, read-only; the tool brings node, git and bash. The image is what .jci/image of
the commit names, else JCI_IMAGE; it needs /bin/sh. Where it is not to be had, the job ends
with a run that says so.`,
    environment: RUNNER_SETTINGS,
    ...OURS,
  },
  () => work(TIMES),
)

/** Works until it is told to stop. */
export async function work(times: Times): Promise<void> {
  const missing = Object.keys(RUNNER_NEEDS).filter(name => optional(name) === undefined)
  if (missing.length > 0) throw lasting('start', `these are not set: ${missing.join(', ')}`)
  const directory = resolve(setting('JCI_RUNNER_DB'))
  makeDirectories(directory)
  // Nobody sits there whom git could ask for a password.
  process.env['GIT_TERMINAL_PROMPT'] = '0'
  const stop = new AbortController()
  const unlock = await takeLock(directory, 'runner', () => stop.abort())
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(signal, () => stop.abort())
  const runner = identity(join(directory, 'id'))
  const place = await placeOf(directory, runner)
  await place.begin()
  const reaper = setInterval(
    () => void place.reap().catch((error: unknown) => warn('end', 'old jobs', error)),
    times.reap,
  )
  say('info', `runner ${runner} asks ${setting('JCI_SERVER')}`)
  const refuse = refuser(join(directory, 'refused'), setting('JCI_SERVER'))
  await pollAlways(runner, place, refuse, times, stop.signal)
  clearInterval(reaper)
  await place.stop()
  await unlock()
}

function identity(path: string): string {
  publishFile(path, `${randomBytes(8).toString('hex')}\n`)
  const id = readIfThere(path)?.trim() ?? ''
  if (!/^[\w.-]{1,100}$/.test(id)) throw lasting(`read '${path}'`, 'it holds no name')
  return id
}

async function placeOf(directory: string, runner: string): Promise<JobPlace> {
  const timeout = duration('JCI_JOB_TIMEOUT')
  const where = optional('JCI_RUN_IN')
  if (where === 'here') return new (await import('./runner/here.ts')).Here(directory, runner, timeout)
  if (where !== undefined) throw lasting('read the setting JCI_RUN_IN', `'${where}' is not 'here'`)
  return new (await import('./runner/container.ts')).Containers(directory, runner, timeout)
}

async function pollAlways(
  runner: string,
  place: JobPlace,
  refuse: (job: Assigned, why: unknown) => Promise<void>,
  times: Times,
  stop: AbortSignal,
): Promise<void> {
  let away = 0
  // To start a job takes long where its image is fetched; meanwhile the server is to hear that it is in good hands.
  const starting = new Set<string>()
  const failures = new LRUCache<string, number>({ max: 1000 })
  const begin = async (job: Assigned) => {
    const id = job.job_id
    starting.add(id)
    await place.start(job).catch(async (error: unknown) => {
      warn('start the job', id, error)
      const count = (failures.get(id) ?? 0) + 1
      failures.set(id, count)
      // The next poll says that we do not have it: it is given away again, here or elsewhere.
      if (count < START_TRIES && !isLasting(error)) return
      await refuse(job, error).catch((why: unknown) => warn('end the job', id, why))
    })
    starting.delete(id)
  }
  while (!stop.aborted) {
    let wait = times.pause + Math.random() * times.jitter
    try {
      // Those that start, before those that run: a job that is no more among the first is among the second.
      const first = [...starting]
      const others = await jobsAt(place)
      const answer = await poll(runner, others && [...new Set([...first, ...others])])
      if (away > 0) say('info', 'the server answers again')
      away = 0
      if (typeof answer === 'number') wait = answer
      else if (answer) {
        void begin(answer)
        wait = 0
      }
    } catch (error) {
      if (away++ === 0) warn('reach the server', setting('JCI_SERVER'), error)
      wait = Math.min(times.pause * 2 ** Math.min(away - 1, 8), times.away) + Math.random() * times.jitter
    }
    await sleep(wait, undefined, { signal: stop }).catch(() => undefined)
  }
}

/** True for what no other try would mend, as the name of an image that there is not. */
const isLasting = (error: unknown) => error instanceof Fatal && error.exitCode === EXIT.lasting

/** The jobs that run; undefined if that is not known, which says nothing. */
async function jobsAt(place: JobPlace): Promise<string[] | undefined> {
  try {
    return await place.jobs()
  } catch (error) {
    warn('list', 'jobs', error)
    return undefined
  }
}

/** Asks once, and says which jobs run here, so that the others are not waited for: a job, how many milliseconds to wait, or undefined if there is nothing to do. */
async function poll(runner: string, jobs: string[] | undefined): Promise<Assigned | number | undefined> {
  const response = await fetch(new URL('/poll', setting('JCI_SERVER')), {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ runner_id: runner, secret: setting('JCI_RUNNER_SECRET'), jobs }),
    redirect: 'error',
    signal: AbortSignal.timeout(60_000),
  })
  const text = await response.text()
  if (response.status === 429) return Math.max(BUSY_WAIT_MIN_MS, pauseIn(response.headers) ?? BUSY_WAIT_MS)
  if (!response.ok) throw new Error(`the server answered ${response.status}`)
  const { job } = JSON.parse(text) as { job: Assigned | null }
  if (!job) return undefined
  const isJob = /^[\w-]{1,64}$/.test(job.job_id) && isCommitId(job.commit_sha) && URL.canParse(job.clone_url)
  if (!isJob) throw new Error('the server answered with no job')
  return job
}
