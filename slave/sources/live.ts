// Sends the output of a job's steps to the farmer while somebody watches, from near its end on.

import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { tolerating } from '../../lib/base/errno.ts'
import { OUTPUT_MAX } from '../../lib/farm/protocol.ts'
import { listIfThere } from '../../lib/system/listing.ts'
import { Gone } from './farmer-client.ts'
import type { FarmerClient } from './farmer-client.ts'
import type { Path } from '../../lib/base/brand.ts'
import { JOB, STEP, stepDirectory } from '../../lib/spool/job-files.ts'

/** How often to look for more, in milliseconds. */
const MORE_LOOK_MS = 200
/** How much of the end of a long log is sent first, and the most that is sent at once, in bytes. */
const TAIL = OUTPUT_MAX / 2
const UPLOAD_BYTES = OUTPUT_MAX / 4

export class Live {
  readonly #client: FarmerClient
  readonly #job: Path
  readonly #attempt: string
  /** How far each stream was sent. */
  readonly #at = new Map<string, number>()
  #closed = false

  constructor(client: FarmerClient, job: Path, attempt: string) {
    this.#client = client
    this.#job = job
    this.#attempt = attempt
    void this.#run()
  }

  close(): void {
    this.#closed = true
  }

  async #run(): Promise<void> {
    while (!this.#closed) {
      try {
        for (const step of listIfThere(join(this.#job, JOB.steps))) {
          for (const stream of ['out', 'err']) while (await this.#send(step, stream));
        }
      } catch (error) {
        if (error instanceof Gone) return
        // Watchers see it when it is over.
      }
      await sleep(MORE_LOOK_MS, undefined, { ref: false })
    }
  }

  /** Sends some of what is new of a stream; false if there is nothing. */
  async #send(step: string, stream: string): Promise<boolean> {
    if (this.#closed) return false
    const path = join(stepDirectory(this.#job, step), stream === 'out' ? STEP.stdout : STEP.stderr)
    const fd = tolerating(['ENOENT'], () => openSync(path, 'r'))
    if (fd === undefined) return false
    try {
      const { size } = fstatSync(fd)
      const at = this.#at.get(path) ?? lineStart(fd, Math.max(0, size - TAIL))
      const bytes = Buffer.alloc(Math.min(UPLOAD_BYTES, size - at))
      if (bytes.length === 0) return false
      const read = readSync(fd, bytes, 0, bytes.length, at)
      const query = new URLSearchParams({ step, stream, at: String(at) })
      const next = await this.#client.output(
        `/v1/runs/${this.#attempt}/output?${query.toString()}`,
        bytes.subarray(0, read),
      )
      this.#at.set(path, next)
      return true
    } finally {
      closeSync(fd)
    }
  }
}

/** Where the first line begins at or behind a place. */
function lineStart(fd: number, at: number): number {
  if (at === 0) return 0
  const bytes = Buffer.alloc(64 * 1024)
  const read = readSync(fd, bytes, 0, bytes.length, at - 1)
  const newline = bytes.subarray(0, read).indexOf(10)
  return newline < 0 ? at : at + newline
}
