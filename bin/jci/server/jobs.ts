// The jobs of the server: one small file for each, replaced as a whole at each step, so that kill -9 at any instant leaves
// the step before or the step after. The states are in lib/INTERNALS.md.

import { unlinkSync } from 'node:fs'
import { join } from 'node:path'

import { makeDirectories } from '../../../lib/system/directories.ts'
import { fsyncPath, readIfThere, replaceFile, token } from '../../../lib/system/durable.ts'
import { remove } from '../../../lib/system/remove.ts'
import { listAllIfThere } from '../../../lib/system/listing.ts'

export interface ToldStatus {
  readonly state: 'pending' | 'success' | 'failure'
  readonly description: string
}

export interface Job {
  readonly id: string
  readonly owner: string
  readonly repo: string
  readonly commit: string
  /** When it came, in milliseconds since 1970. */
  readonly received: number
  state: 'queued' | 'assigned' | 'over'
  runner?: string
  assignedAt?: number
  /** How often it was assigned. */
  tries: number
  /** True while it is found out whether it can be queued again: nothing of it gets through the door. */
  held?: boolean
  /** The runs of the commit that were there when it was assigned. */
  known: readonly string[]
  /** The name of a token of the forge that was made for it and is still to be deleted; else empty. */
  token?: string
  /** Why it ended, while a run of it on the forge may say `running` with nobody left to end that; else empty. */
  unended?: string
  /** The statuses that the forge is to be told, oldest first. */
  told: ToldStatus[]
  /** True while the first of them may have been sent: after a crash only the forge knows. */
  sending?: boolean
}

const repositoryOf = ({ owner, repo }: Pick<Job, 'owner' | 'repo'>): string => `${owner}/${repo}`

export class Jobs {
  readonly #directory: string
  readonly #jobs = new Map<string, Job>()
  /** When each repository was served last, counted in assignments. */
  readonly #served = new Map<string, number>()
  #assignments = 0
  /** Jobs that are about to be assigned. */
  readonly #taken = new Set<Job>()

  /** Reads what an earlier server left. */
  constructor(directory: string) {
    this.#directory = directory
    makeDirectories(directory)
    for (const name of listAllIfThere(directory)) {
      if (name.startsWith('.new.')) remove(join(directory, name))
      const job = name.endsWith('.json') ? readJob(join(directory, name)) : undefined
      if (job) this.#jobs.set(job.id, job)
    }
  }

  all(): Job[] {
    return [...this.#jobs.values()].sort((a, b) => a.received - b.received || (a.id < b.id ? -1 : 1))
  }

  get(id: string): Job | undefined {
    return this.#jobs.get(id)
  }

  assigned(): Job[] {
    return this.all().filter(({ state }) => state === 'assigned')
  }

  /** Those whose token is of no more use. */
  tokensLeft(): Job[] {
    return this.all().filter(job => job.token && job.state !== 'assigned' && !this.#taken.has(job))
  }

  /** How many jobs have a runner, or are about to get one. */
  get active(): number {
    return this.assigned().length + this.#taken.size
  }

  /** True if this attempt of a job may use its credential. */
  isAt(id: string, attempt: number): boolean {
    const job = this.get(id)
    return job?.state === 'assigned' && job.tries === attempt && !job.held
  }

  /** Takes a job in; undefined if there is one of this commit that is not over. Durable when it returns. */
  add(owner: string, repo: string, commit: string): Job | undefined {
    const same = (job: Job) => job.owner === owner && job.repo === repo && job.commit === commit
    if (this.all().some(job => job.state !== 'over' && same(job))) return undefined
    const told: ToldStatus[] = [{ state: 'pending', description: 'jci: queued' }]
    const job: Job = {
      id: token(),
      owner,
      repo,
      commit,
      received: Date.now(),
      state: 'queued',
      tries: 0,
      known: [],
      told,
    }
    this.#save(job)
    this.#jobs.set(job.id, job)
    return job
  }

  /**
   * The job that is to be assigned next: the oldest of the repository that was served the longest ago, which counts as served now.
   * It is to be given back.
   */
  take(): Job | undefined {
    // The token of an earlier attempt goes first: a job has one.
    const waiting = this.all().filter(job => job.state === 'queued' && !job.token && !this.#taken.has(job))
    const rank = (job: Job) => this.#served.get(repositoryOf(job)) ?? 0
    const next = waiting.reduce<Job | undefined>(
      (best, job) => (best === undefined || rank(job) < rank(best) ? job : best),
      undefined,
    )
    if (!next) return undefined
    this.#taken.add(next)
    this.#served.set(repositoryOf(next), ++this.#assignments)
    return next
  }

  /** Gives back what `take` answered. */
  release(job: Job): void {
    this.#taken.delete(job)
  }

  /** One atomic step. */
  assign(job: Job, runner: string, known: readonly string[]): void {
    this.change(job, {
      state: 'assigned',
      runner,
      assignedAt: Date.now(),
      tries: job.tries + 1,
      known,
      told: [...job.told, { state: 'pending', description: 'jci: job assigned' }],
    })
  }

  requeue(job: Job): void {
    this.change(job, {
      state: 'queued',
      held: false,
      told: [...job.told, { state: 'pending', description: 'jci: queued' }],
    })
  }

  end(job: Job, state: 'success' | 'failure', description: string, unended = ''): void {
    // Only the verdict is worth sending now; but what may be on its way stays the first.
    const rest = job.sending ? job.told.slice(0, 1) : []
    this.change(job, { state: 'over', held: false, unended, told: [...rest, { state, description }] })
  }

  /** Changes a job and makes that durable; one that has nothing left to do is forgotten. */
  change(job: Job, changes: Partial<Job>): void {
    const next = { ...job, ...changes }
    if (next.state === 'over' && next.told.length === 0 && !next.token && !next.unended) {
      unlinkSync(this.#fileOf(job))
      fsyncPath(this.#directory)
      this.#jobs.delete(job.id)
    } else this.#save(next)
    Object.assign(job, changes)
  }

  #save(job: Job): void {
    replaceFile(this.#fileOf(job), JSON.stringify(job))
  }

  #fileOf({ id }: Job): string {
    return join(this.#directory, `${id}.json`)
  }
}

function readJob(path: string): Job | undefined {
  try {
    return JSON.parse(readIfThere(path) ?? '') as Job
  } catch {
    return undefined
  }
}
