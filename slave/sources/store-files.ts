// Puts the files of a job where its farmer says.

import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import type { Path } from '../../lib/base/brand.ts'
import { quote } from '../../lib/base/exit.ts'
import type { Addresses, JobFile } from '../../lib/farm/protocol.ts'
import { warnOnce } from '../../lib/system/log.ts'
import { Gone, NotTaken, putFile } from './farmer-client.ts'
import type { FarmerClient } from './farmer-client.ts'
import { filesIn } from './job-report.ts'

/** So many files are stored at once. */
const UPLOADS_AT_ONCE = 4
/** What a store refuses so many times is left out: some say "bad request" also to a connection that was too slow. */
const REFUSALS_MAX = 4
/** Of so many files that were refused, people are told by name. */
const NAMED = 10

/** The files of a job that are stored, and remarks on those that are not. */
export interface StoredFiles {
  readonly files: readonly JobFile[]
  readonly notes: readonly string[]
}

/**
 * Stores the files of `job` for an attempt at the task `name`. What is away is asked again until `stop` is aborted. Throws Gone
 * if the attempt does not stand any more, and NotTaken if the farmer takes no file at all.
 */
export async function storeFiles(
  client: FarmerClient,
  attempt: string,
  job: Path,
  name: string,
  stop: AbortSignal,
): Promise<StoredFiles> {
  const { files, notes } = filesIn(job)
  const refusals = new Refusals()
  let left: readonly JobFile[] = files
  for (let wait = 250; left.length > 0; wait = Math.min(2 * wait, 5000)) {
    stop.throwIfAborted()
    try {
      const answer = await client.ask<Addresses>('POST', `/v1/runs/${attempt}/files`, { files: left })
      left = await putAll(job, left, answer?.addresses ?? {}, refusals, stop)
    } catch (error) {
      if (error instanceof Gone) throw error
      warnOnce('store the output of', name, error)
      if (error instanceof NotTaken) throw error
    }
    if (left.length > 0) await sleep(wait, undefined, { signal: stop })
  }
  return {
    files: files.filter(({ path }) => !refusals.isLeftOut(path)),
    notes: [...notes, ...refusals.notes()],
  }
}

/** Returns those that are to be tried again. */
async function putAll(
  job: Path,
  files: readonly JobFile[],
  addresses: Addresses['addresses'],
  refusals: Refusals,
  stop: AbortSignal,
): Promise<JobFile[]> {
  const [queue, failed] = [[...files], [] as JobFile[]]
  const work = async () => {
    for (let file = queue.shift(); file; file = queue.shift()) {
      try {
        await putFile(addresses[file.path] ?? '', join(job, file.path), file.size, stop)
      } catch (error) {
        warnOnce('store', file.path, error)
        if (error instanceof NotTaken) refusals.add(file.path, error)
        if (!refusals.isLeftOut(file.path)) failed.push(file)
      }
    }
  }
  await Promise.all(Array.from({ length: UPLOADS_AT_ONCE }, work))
  return failed
}

/** How often the store refused which file, and why. */
class Refusals {
  readonly #refused = new Map<string, { readonly times: number; readonly why: string }>()

  add(path: string, { why }: NotTaken): void {
    this.#refused.set(path, { times: (this.#refused.get(path)?.times ?? 0) + 1, why })
  }

  isLeftOut(path: string): boolean {
    return (this.#refused.get(path)?.times ?? 0) >= REFUSALS_MAX
  }

  notes(): string[] {
    const leftOut = [...this.#refused].filter(([path]) => this.isLeftOut(path))
    const named = leftOut
      .slice(0, NAMED)
      .map(([path, { why }]) => `${quote(path.slice(0, 200))} is not stored: ${why}`)
    const more = leftOut.length - named.length
    return more > 0 ? [...named, `${more} more files are not stored`] : named
  }
}
