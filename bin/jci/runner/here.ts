// Jobs as processes of this machine, without containers: for those that trust what they run.

import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { realpathSync } from 'node:fs'
import { join } from 'node:path'

import { ROOT } from '../../../lib/base/root.ts'
import { makeDirectories } from '../../../lib/system/directories.ts'
import { remove } from '../../../lib/system/remove.ts'
import { processesWith } from '../../../lib/system/process.ts'
import { start } from '../../../lib/system/run.ts'
import type { Assigned, JobPlace } from './place.ts'

interface Running {
  readonly child: ChildProcess
  /** In milliseconds since 1970. */
  readonly deadline: number
}

export class Here implements JobPlace {
  readonly #runner: string
  /** Holds the temporary files of jobs, each in a directory of its own. */
  readonly #directory: string
  /** In milliseconds. */
  readonly #timeout: number
  readonly #running = new Map<string, Running>()

  constructor(directory: string, runner: string, timeout: number) {
    this.#directory = join(realpathSync(directory), 'here')
    this.#runner = runner
    this.#timeout = timeout
  }

  async start(job: Assigned): Promise<void> {
    await this.#endEarlier(job.job_id)
    const files = join(this.#directory, job.job_id)
    makeDirectories(files)
    const child = start([process.execPath, join(ROOT, 'dist/bin/jci/runner/job.js')], {
      stdio: ['pipe', 'ignore', 'inherit'],
      cwd: '/',
      env: { ...environment(), JCI_JOB_OF: this.#runner, JCI_JOB_ID: job.job_id, TMPDIR: files },
    })
    this.#running.set(job.job_id, { child, deadline: Date.now() + this.#timeout })
    const over = () => {
      this.#killRest(`JCI_JOB_ID=${job.job_id}`)
      this.#running.delete(job.job_id)
      remove(files)
    }
    child.on('close', over)
    child.on('error', over)
    // By a pipe, which nobody else reads.
    child.stdin.on('error', () => undefined).end(JSON.stringify(job))
  }

  /** A job may come back while what it began before is still here: its credential is dead, and its end would take the new one along. */
  async #endEarlier(id: string): Promise<void> {
    const earlier = this.#running.get(id)
    if (!earlier) return
    const closed = once(earlier.child, 'close')
    this.#killRest(`JCI_JOB_ID=${id}`)
    await closed
  }

  jobs(): Promise<string[]> {
    return Promise.resolve([...this.#running.keys()])
  }

  begin(): Promise<void> {
    this.#killRest(`JCI_JOB_OF=${this.#runner}`)
    remove(this.#directory)
    return Promise.resolve()
  }

  /** Kills whatever has this in its environment. */
  #killRest(entry: string): void {
    for (const pid of processesWith(entry)) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // It is over.
      }
    }
  }

  reap(): Promise<void> {
    const now = Date.now()
    for (const { child, deadline } of this.#running.values()) if (now > deadline) child.kill('SIGTERM')
    return Promise.resolve()
  }

  async stop(): Promise<void> {
    const children = [...this.#running.values()].map(({ child }) => child)
    const ends = children.map(child => once(child, 'close'))
    for (const child of children) child.kill('SIGTERM')
    await Promise.all(ends)
  }
}

/** Ours without the secrets of the runner. */
function environment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => name !== 'JCI_RUNNER_SECRET'))
}
