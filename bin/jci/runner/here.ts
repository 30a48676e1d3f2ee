// Jobs as processes of this machine, without containers: for those that trust what they run.

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

import { ROOT } from '../../../lib/base/root.ts'
import { processesWith } from '../../../lib/system/process.ts'
import type { Assigned, Place } from './place.ts'

export class Here implements Place {
  readonly #runner: string
  /** In milliseconds. */
  readonly #timeout: number
  readonly #running = new Map<ChildProcess, number>()

  constructor(runner: string, timeout: number) {
    this.#runner = runner
    this.#timeout = timeout
  }

  start(job: Assigned): Promise<void> {
    const child = spawn(process.execPath, [join(ROOT, 'dist/bin/jci/runner/job.js')], {
      stdio: ['pipe', 'ignore', 'inherit'],
      cwd: '/',
      env: { ...environment(), JCI_JOB_OF: this.#runner },
    })
    this.#running.set(child, Date.now() + this.#timeout)
    child.on('close', () => this.#running.delete(child))
    child.on('error', () => this.#running.delete(child))
    // By a pipe, which nobody else reads.
    child.stdin.on('error', () => undefined).end(JSON.stringify(job))
    return Promise.resolve()
  }

  begin(): Promise<void> {
    for (const pid of processesWith(`JCI_JOB_OF=${this.#runner}`)) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // It is over.
      }
    }
    return Promise.resolve()
  }

  reap(): Promise<void> {
    const now = Date.now()
    for (const [child, deadline] of this.#running) if (now > deadline) child.kill('SIGTERM')
    return Promise.resolve()
  }

  async stop(): Promise<void> {
    const ends = [...this.#running.keys()].map(child => once(child, 'close'))
    for (const child of this.#running.keys()) child.kill('SIGTERM')
    await Promise.all(ends)
  }
}

/** Ours without the secrets of the runner. */
function environment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => name !== 'JCI_RUNNER_SECRET'))
}
