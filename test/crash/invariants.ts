// What must be so when everything has been restarted and come to rest: each event has become its tasks once, each task
// one job with one verdict, and nothing half-made is left. Reads the spool with nothing of ours: what it judges must not
// be what it is judged by.

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'

/** What is wrong, in sentences. */
export interface Findings {
  lost: string[]
  doubled: string[]
  left: string[]
}

export interface Expected {
  /** The work there must be: `REVISION ARCH`, or `REVISION ARCH:HOST`. */
  readonly work: readonly string[]
  /** The verdict that stands for each work at the end; or that it `waits`, since no slave runs. */
  readonly verdict: string | ((work: string) => string)
  /** The steps of each job that succeeded. */
  readonly steps?: readonly string[]
  /** Work that there may be as well: nobody was told that it would be. */
  readonly may?: readonly string[]
  /** What `params.txt` of each task holds. */
  readonly params?: string
  /** What else is left over. */
  readonly notes?: readonly string[]
  /** What is paused. */
  readonly pauses?: readonly string[]
  /** The events that could not be made into tasks. */
  readonly failed?: readonly string[]
}

const FILES = [
  'code.tar',
  'code-revision.txt',
  'code-version.txt',
  'steps.tar',
  'steps-revision.txt',
  'steps-version.txt',
]
/** In `tasks/tmp`, archives to be used again, and whatever its keeper lets grow old in it. */
const CACHE = '.bundles'
const VERDICTS = ['success', 'failure', 'timeout', 'cancelled', 'lost', 'error']

const names = (directory: string): string[] => (existsSync(directory) ? readdirSync(directory).sort() : [])
const visible = (directory: string): string[] => names(directory).filter(name => !name.startsWith('.'))
const read = (path: string): string | undefined =>
  existsSync(path) ? readFileSync(path, 'utf8').trim() : undefined

interface Task {
  readonly name: string
  readonly path: string
  readonly work: string
  readonly parent: string | undefined
  /** Why it was published again. */
  readonly cause: string | undefined
}

/** The verdicts of the jobs whose tasks are over. */
export function verdicts(spool: string): Map<string, string> {
  const jobs = ['cur', 'old'].flatMap(state =>
    visible(join(spool, 'jobs', state)).map(name => join(spool, 'jobs', state, name)),
  )
  const over = new Set(visible(join(spool, 'tasks/old')))
  return new Map(
    jobs
      .map(job => [basename(job), read(join(job, 'result.txt'))] as const)
      .filter((entry): entry is [string, string] => over.has(entry[0]) && entry[1] !== undefined),
  )
}

/** Judges a spool. */
export function inspect(spool: string, expected: Expected): Findings {
  const findings: Findings = { lost: [], doubled: [], left: [] }
  const tasks = ['cur', 'old'].flatMap(state =>
    visible(join(spool, 'tasks', state)).map(name => readTask(join(spool, 'tasks', state, name), name)),
  )
  inspectNumbers(spool, tasks, findings)
  inspectWork(tasks, expected, findings)
  inspectJobs(spool, tasks, expected, findings)
  inspectRest(spool, expected, findings)
  findings.left.push(...(expected.notes ?? []))
  return findings
}

function readTask(path: string, name: string): Task {
  const [, , , ...target] = name.split(':')
  const [parent, cause] = read(join(path, 'retry-of.txt'))?.split(' ') ?? []
  return {
    name,
    path,
    work: `${read(join(path, 'code-revision.txt')) ?? 'nothing'} ${target.join(':')}`,
    parent,
    cause,
  }
}

function inspectNumbers(spool: string, tasks: readonly Task[], { doubled }: Findings): void {
  const counters = visible(join(spool, 'tasks/ctr')).map(Number)
  const last = Math.max(...counters)
  const seen = new Set<number>()
  for (const { name } of tasks) {
    const number = parseInt(name)
    if (seen.has(number)) doubled.push(`the number of ${name} was given out twice`)
    if (!(number <= last))
      doubled.push(`the counter at ${counters.join()} will give out the number of ${name} again`)
    seen.add(number)
  }
}

function inspectWork(tasks: readonly Task[], expected: Expected, { lost, doubled }: Findings): void {
  for (const { name, path } of tasks) {
    for (const file of FILES) {
      if (!existsSync(join(path, file)) || statSync(join(path, file)).size === 0)
        lost.push(`${file} of ${name} is not there`)
    }
    if (expected.params !== undefined && read(join(path, 'params.txt')) !== expected.params)
      lost.push(`the lines of ${name} are not those of its event`)
  }
  const originals = tasks.filter(task => task.parent === undefined).map(task => task.work)
  for (const work of expected.work) {
    const count = originals.filter(other => other === work).length
    if (count === 0) lost.push(`there is no task for ${work}`)
    if (count > 1) doubled.push(`there are ${count} tasks for ${work}`)
  }
  for (const work of new Set(originals)) {
    if (![...expected.work, ...(expected.may ?? [])].includes(work)) doubled.push(`nobody asked for ${work}`)
  }
}

function inspectJobs(
  spool: string,
  tasks: readonly Task[],
  { verdict, steps = [] }: Expected,
  findings: Findings,
): void {
  const { lost, doubled, left } = findings
  const jobs = ['cur', 'old'].flatMap(state =>
    visible(join(spool, 'jobs', state)).map(name => ({ name, path: join(spool, 'jobs', state, name) })),
  )
  for (const { name } of jobs) {
    if (!tasks.some(task => task.name === name)) left.push(`the job ${name} has no task`)
  }
  for (const { name, path, parent, cause, work } of tasks) {
    const standing = typeof verdict === 'string' ? verdict : verdict(work)
    if (parent !== undefined && !tasks.some(task => task.name === parent))
      doubled.push(`${name} is a retry of nothing`)
    const own = jobs.filter(job => job.name === name)
    if (own.length === 0 && path.includes('/tasks/cur/') && (standing === 'waits' || cause === 'user'))
      continue
    if (path.includes('/tasks/cur/')) left.push(`the task ${name} is not over`)
    if (own.length !== 1) (own.length === 0 ? lost : doubled).push(`${name} has ${own.length} jobs`)
    for (const job of own) {
      inspectVerdict(job, tasks, standing, findings)
      inspectSteps(job, steps, findings)
    }
  }
}

function inspectVerdict(
  job: { name: string; path: string },
  tasks: readonly Task[],
  standing: string,
  { lost, doubled, left }: Findings,
): void {
  const verdict = read(join(job.path, 'result.txt'))
  if (verdict === undefined || !VERDICTS.includes(verdict)) {
    lost.push(`${job.name} has no verdict, but ${String(verdict)}`)
    return
  }
  if (!job.path.includes('/jobs/old/')) left.push(`the job ${job.name} is not archived`)
  const retries = tasks.filter(task => task.parent === job.name)
  const recorded = read(join(job.path, 'retried-as.txt'))
  if (verdict === 'lost' && retries.length === 0) lost.push(`${job.name} was lost and not published again`)
  if (retries.length > 1) doubled.push(`${job.name} was published again ${retries.length} times`)
  for (const { name, cause } of retries) {
    if (name !== recorded) doubled.push(`${name} is a retry of ${job.name}, and not the one it names`)
    if (verdict !== 'lost' && cause !== 'user')
      doubled.push(`${job.name} ended as ${verdict} and was published again`)
  }
  if (verdict !== 'lost' && verdict !== standing && standing !== 'waits') {
    lost.push(`${job.name} ended as ${verdict}: ${read(join(job.path, 'error.txt')) ?? ''}`)
  }
}

/** What a job that succeeded must say of its steps. */
function inspectSteps(
  job: { name: string; path: string },
  steps: readonly string[],
  { lost }: Findings,
): void {
  if (read(join(job.path, 'result.txt')) !== 'success') return
  for (const step of steps) {
    const told = {
      'exitcode.txt': /^0$/,
      'stdout.txt': /^@[0-9a-f]{24} here$/,
      started: /^@[0-9a-f]{24}$/,
      ended: /^@[0-9a-f]{24}$/,
    }
    for (const [file, expected] of Object.entries(told)) {
      const text = read(join(job.path, 'steps', step, file))
      if (text === undefined || !expected.test(text))
        lost.push(`${job.name} says of ${step}/${file}: ${String(text)}`)
    }
  }
}

/** Where nothing may be left: hidden names and half-made ones. */
function inspectRest(spool: string, { pauses = [], failed = [] }: Expected, { lost, left }: Findings): void {
  const project = (making: string) =>
    names(join(spool, 'revs', making)).map(name => join('revs', making, name))
  for (const place of ['tasks/tmp', 'jobs/tmp', ...project('.making')]) {
    for (const name of names(join(spool, place)).filter(name => name !== CACHE)) left.push(`${place}/${name}`)
  }
  for (const place of ['tasks/ctr', 'tasks/cur', 'tasks/old', 'jobs/cur', 'jobs/old']) {
    for (const name of names(join(spool, place)).filter(name => name.startsWith('.')))
      left.push(`${place}/${name}`)
  }
  if (names(join(spool, 'tasks/ctr')).length > 1)
    left.push(`several counters: ${names(join(spool, 'tasks/ctr')).join()}`)
  for (const place of names(join(spool, 'revs')).filter(name => !name.startsWith('.'))) {
    for (const file of filesBelow(join(spool, 'revs', place))) left.push(`the event ${file}`)
  }
  const given = project('.failed').flatMap(place => filesBelow(join(spool, place)))
  const events = given.filter(file => file.includes('/heads/')).map(file => basename(file))
  for (const event of events) if (!failed.includes(event)) left.push(`the event ${event} failed`)
  for (const event of failed) if (!events.includes(event)) lost.push(`the event ${event} is not in .failed`)
  const standing = names(join(spool, 'pause'))
  for (const name of standing) if (!pauses.includes(name)) left.push(`pause/${name}`)
  for (const name of pauses) if (!standing.includes(name)) lost.push(`pause/${name} is not there`)
  for (const slot of names(join(spool, 'takers'))) {
    for (const name of names(join(spool, 'takers', slot)))
      if (name.startsWith('.')) left.push(`takers/${slot}/${name}`)
  }
}

function filesBelow(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap(entry => {
    const path = join(directory, entry.name)
    return entry.isDirectory() ? filesBelow(path) : [path]
  })
}
