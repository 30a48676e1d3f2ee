// The latest that a forge was told of each commit and context: one small file for each, in the directory of the channel.
// An older state is not told after a newer one, whatever was refused, retried or cut short in between.

import { createHash } from 'node:crypto'
import { unlinkSync } from 'node:fs'
import { join } from 'node:path'

import { ignoringENOENT } from '../../lib/base/errno.ts'
import { readIfThere, replaceFile } from '../../lib/system/durable.ts'
import { listIfThere } from '../../lib/system/listing.ts'
import { makeDirectory } from '../../lib/spool/spool.ts'
import { STAGES } from './policy.ts'
import type { Key } from './records.ts'

export class Latest {
  readonly #directory: string

  constructor(directory: string) {
    this.#directory = join(directory, 'latest')
    makeDirectory(this.#directory)
  }

  /** True if the forge was told something newer of this commit and context. */
  isPast(sha: string, context: string, key: Key): boolean {
    const [num = '', stage = ''] = readIfThere(this.#path(sha, context))?.trim().split('.') ?? []
    const last = STAGES.findIndex(word => word === stage)
    if (last < 0 || !/^\d+$/.test(num)) return false
    return Number(num) > key.num || (Number(num) === key.num && last > STAGES.indexOf(key.stage))
  }

  /** The forge was told this. */
  note(sha: string, context: string, { num, stage }: Key): void {
    replaceFile(this.#path(sha, context), `${num}.${stage}\n`)
  }

  /** Forgets commits of which no task is left. */
  tidy(isThere: (num: number) => boolean): void {
    for (const name of listIfThere(this.#directory)) {
      const path = join(this.#directory, name)
      if (!isThere(parseInt(readIfThere(path) ?? ''))) ignoringENOENT(() => unlinkSync(path))
    }
  }

  // Forges do not tell upper case from lower in a context.
  readonly #path = (sha: string, context: string) =>
    join(this.#directory, createHash('sha256').update(`${sha}\n${context.toLowerCase()}`).digest('hex'))
}
