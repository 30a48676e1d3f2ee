// Who gets which job, and when a job is over: whether it is, only the forge knows.

import { setTimeout as sleep } from 'node:timers/promises'

import { warn, warnOnce } from '../../../lib/system/log.ts'
import type { TokenNames } from './credential.ts'
import type { ForgeClient } from './forge.ts'
import type { Job, Jobs } from './jobs.ts'
import type { Results } from './results.ts'
import type { Runners } from './runners.ts'

/** How often a job is queued again. */
const REQUEUE_MAX = 3
/** A job whose runner says that it has it is looked at so many times more seldom: its end is told by a push, or by the runner. */
const SELDOM = 10
/** How long it is tried to end a run that a job has left; and by what part of its age it waits between two tries. */
const END_RUN_PATIENCE_MS = 24 * 3_600_000
const END_RUN_PART = 20

/** Spans of time, in milliseconds. */
export interface Times {
  /** How often to look whether a job is over, without being asked. */
  readonly tick: number
  /** The forge is asked of a job no more often. */
  readonly look: number
  /** A runner that has not polled for so long is gone. */
  readonly lost: number
  /** How long a poll waits for what is over to be settled. */
  readonly patience: number
}

export const DESK_TIMES: Times = { tick: 2000, look: 15_000, lost: 120_000, patience: 5000 }

export interface DeskSettings {
  readonly maxJobs: number
  /** In milliseconds. */
  readonly timeout: number
  /** Where each job gets a token of the forge. */
  readonly tokenNames?: TokenNames | undefined
  readonly times: Times
  /** True while a push of a job is on its way to the forge. */
  readonly isPushing: (job: Job) => boolean
  /** To be called when there is something to tell the forge. */
  readonly changed: () => void
}

/** A job that a runner gets, and the token of the forge that was made for it, where jobs have one. */
export interface GivenJob {
  readonly job: Job
  readonly token: string | undefined
}

export class Desk {
  readonly jobs: Jobs
  readonly #forge: ForgeClient
  readonly #results: Results
  readonly #runners: Runners
  readonly #settings: DeskSettings
  /** When the forge was asked of a job last, when it was assigned, and when this server began, on the clock that nobody sets. */
  readonly #looked = new Map<string, number>()
  readonly #begun = new Map<string, number>()
  readonly #started = performance.now()
  readonly #looking = new Set<string>()
  /** The tokens that the forge is asked to delete. */
  readonly #dropping = new Set<string>()
  /** The jobs of which something was pushed that was not looked at. */
  readonly #fresh = new Set<string>()
  /** Since when a job could not be assigned, because the forge does not say which runs there are, or makes no token. */
  readonly #stuck = new Map<string, number>()

  constructor(jobs: Jobs, forge: ForgeClient, results: Results, runners: Runners, settings: DeskSettings) {
    this.jobs = jobs
    this.#forge = forge
    this.#results = results
    this.#runners = runners
    this.#settings = settings
  }

  /** A runner asks for work, and may say which jobs it has: its next job, `busy`, or undefined. */
  async poll(runner: string, has?: readonly string[]): Promise<GivenJob | 'busy' | undefined> {
    this.#runners.heard(runner, has)
    await Promise.race([this.settle(), sleep(this.#settings.times.patience, undefined, { ref: false })])
    // One job that cannot be assigned keeps no other from it.
    for (const tried = new Set<Job>(); ;) {
      if (this.jobs.active >= this.#settings.maxJobs) return 'busy'
      const job = this.jobs.take()
      if (!job) return undefined
      try {
        if (tried.has(job)) return undefined
        tried.add(job)
        const given = await this.#assign(job, runner)
        if (given) return given
      } finally {
        this.jobs.release(job)
      }
    }
  }

  async #assign(job: Job, runner: string): Promise<GivenJob | undefined> {
    let known: readonly string[]
    let token: string | undefined
    try {
      known = await this.#results.known(job)
      const name = this.#settings.tokenNames?.draw(job.id)
      if (name !== undefined) {
        // Whoever finds that deletes it.
        this.jobs.change(job, { token: name })
        token = await this.#forge.createToken(name)
      }
    } catch (error) {
      warnOnce('assign the job of', `${job.owner}/${job.repo}`, error)
      this.#stuck.set(job.id, this.#stuck.get(job.id) ?? performance.now())
      return undefined
    }
    this.#stuck.delete(job.id)
    // It may have been given up meanwhile.
    if (job.state !== 'queued') return undefined
    this.jobs.assign(job, runner, known)
    this.#runners.given(runner, job.id)
    this.#begun.set(job.id, performance.now())
    this.#settings.changed()
    return { job, token }
  }

  /**
   * A push of a job has come through the door; `changes` if it has changed a run that was there, as the end of a run does. Where
   * its runner says when a job is over, a run that begins is not worth a look: that would hold up the one at its end.
   */
  pushed(id: string, changes: boolean): void {
    const job = this.jobs.get(id)
    if (job?.state !== 'assigned' || (!changes && this.#runners.isWith(job))) return
    this.#fresh.add(id)
    void this.settle()
  }

  /** There is a new job. */
  wake(): void {
    this.#settings.changed()
  }

  /** Ends and queues again what is to be; also by the server's own timer. */
  async settle(): Promise<void> {
    const now = performance.now()
    await each(this.jobs.assigned(), job => this.#settleOne(job, now))
    const isStuck = ({ id }: Job) => now - (this.#stuck.get(id) ?? now) >= this.#settings.timeout
    await each(this.jobs.all().filter(isStuck), job => this.#giveUp(job))
    const withToken = this.jobs.tokensLeft()
    await each(withToken, job => this.#dropToken(job))
    const left = this.jobs.all().filter(({ state, unended, token }) => state === 'over' && unended && !token)
    await each(left, job => this.#endRuns(job, now))
  }

  /** Ends a job that could not be assigned for as long as it might have taken. */
  #giveUp(job: Job): void {
    if (job.state === 'queued') this.#end(job, 'failure', 'jci: job timed out')
    this.#stuck.delete(job.id)
  }

  async #settleOne(job: Job, now: number): Promise<void> {
    const late = this.#isLate(job)
    // Asked before the forge: what a job that is gone has pushed, is there.
    const isGone = this.#runners.isWithout(job)
    if (this.#looking.has(job.id) || !(late || this.#isDue(job, now, isGone))) return
    // No push of it begins any more: what is not there now never will be.
    const isShut = job.held === true && !this.#settings.isPushing(job)
    const isFresh = this.#fresh.delete(job.id)
    this.#looking.add(job.id)
    this.#looked.set(job.id, now)
    try {
      const status = await this.#look(job)
      if (status === 'ok') this.#end(job, 'success', 'jci: job completed')
      else if (status === 'err') this.#end(job, 'failure', 'jci: job completed')
      else if (late) this.#end(job, 'failure', 'jci: job timed out', 'its job timed out')
      else if (status === undefined) this.#withoutRun(job, isShut, isGone)
      else if (status === 'unknown' && isFresh) this.#fresh.add(job.id)
      else if (status === 'running' && isGone) this.#end(job, 'failure', 'jci: job lost', 'its job was lost')
      else if (status === 'running' && job.held) this.jobs.change(job, { held: false })
    } finally {
      this.#looking.delete(job.id)
    }
  }

  /** True where it is time to look: as soon as may be where somebody has told that something has changed. */
  #isDue(job: Job, now: number, isGone: boolean): boolean {
    const { look } = this.#settings.times
    const looked = this.#looked.get(job.id)
    if (looked !== undefined && now - looked < look) return false
    if (isGone || this.#fresh.has(job.id)) return true
    const waits = this.#runners.isWith(job) && !job.held ? SELDOM * look : look
    return now - (looked ?? this.#begun.get(job.id) ?? this.#started) >= waits
  }

  /** By the clock of the day, which goes on while no server runs, or by ours: whichever is the first. */
  #isLate(job: Job): boolean {
    const { timeout } = this.#settings
    const ours = performance.now() - (this.#begun.get(job.id) ?? this.#started)
    return ours >= timeout || Date.now() >= job.assignedAt! + timeout
  }

  /** The state of a job as the forge shows it; `unknown` if it does not say. */
  async #look(job: Job): Promise<'ok' | 'err' | 'running' | 'unknown' | undefined> {
    try {
      return await this.#results.look(job)
    } catch (error) {
      warn('look for results in', `${job.owner}/${job.repo}`, error)
      return 'unknown'
    }
  }

  /**
   * Queues a job again that shows no run and that nobody has. Between the look and this the runner may have begun after all: so its
   * credential is held first, and the next look decides. A job runs nothing before the forge has its run.
   */
  #withoutRun(job: Job, isShut: boolean, isGone: boolean): void {
    if (!isShut) {
      if (isGone || this.#runners.isLost(job)) this.jobs.change(job, { held: true })
    } else if (job.tries > REQUEUE_MAX) this.#end(job, 'failure', 'jci: job lost')
    else {
      this.jobs.requeue(job)
      this.#settings.changed()
    }
  }

  /** `unended` says why where a run of it would say `running` for ever, unless the server ends that too. */
  #end(job: Job, state: 'success' | 'failure', description: string, unended = ''): void {
    this.jobs.end(job, state, description, unended)
    if (unended === '') this.#results.forget(job)
    this.#looked.delete(job.id)
    this.#begun.delete(job.id)
    this.#fresh.delete(job.id)
    this.#stuck.delete(job.id)
    this.#settings.changed()
  }

  /** Ends the runs that a job has left on the forge: its credential is dead, and nothing more of it comes through the door. */
  async #endRuns(job: Job, now: number): Promise<void> {
    const age = Date.now() - job.assignedAt!
    const pause = Math.max(this.#settings.times.look, age / END_RUN_PART)
    const looked = this.#looked.get(job.id)
    const waits = looked !== undefined && now - looked < pause
    if (waits || this.#looking.has(job.id) || this.#settings.isPushing(job)) return
    this.#looking.add(job.id)
    this.#looked.set(job.id, now)
    try {
      await this.#results.endRuns(job, job.unended!, run => this.#isLeftBy(job, run))
    } catch (error) {
      warn('end the runs of the job of', `${job.owner}/${job.repo}`, error)
      if (age < END_RUN_PATIENCE_MS) return
    } finally {
      this.#looking.delete(job.id)
    }
    this.#results.forget(job)
    this.#looked.delete(job.id)
    this.jobs.change(job, { unended: '' })
  }

  /** False for a run of the next job of the same commit, which was not there when that was assigned. */
  #isLeftBy({ owner, repo, commit }: Job, run: string): boolean {
    const next = this.jobs
      .assigned()
      .find(one => one.owner === owner && one.repo === repo && one.commit === commit)
    return next === undefined || next.known.includes(run)
  }

  async #dropToken(job: Job): Promise<void> {
    const name = job.token!
    // A slow forge may still be at it.
    if (this.#dropping.has(name)) return
    this.#dropping.add(name)
    try {
      await this.#forge.deleteToken(name)
      this.jobs.change(job, { token: '' })
    } catch (error) {
      warnOnce('delete the token', name, error)
    } finally {
      this.#dropping.delete(name)
    }
  }
}

/** Does something with each job. One that fails, as where the disk is full, is tried again next time and harms no other. */
async function each(jobs: readonly Job[], act: (job: Job) => Promise<void> | void): Promise<void> {
  const one = async (job: Job) => {
    try {
      await act(job)
    } catch (error) {
      warn('settle the job of', `${job.owner}/${job.repo}`, error)
    }
  }
  await Promise.all(jobs.map(one))
}
