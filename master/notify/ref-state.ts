// The last result of each ref, architecture and line of a Testfile, which tells a first failure and a recovery from more of
// the same. One small file each, in the spool.

import { createHash } from 'node:crypto'
import { unlinkSync } from 'node:fs'
import { join } from 'node:path'

import { targetOf } from '../../lib/spool/task-name.ts'
import { readIfThere, replaceFile } from '../../lib/system/durable.ts'
import { listIfThere } from '../../lib/system/listing.ts'
import { ignoringENOENT } from '../../lib/base/errno.ts'
import { makeDirectory } from '../../lib/spool/spool.ts'
import type { TaskView } from '../../lib/view/view.ts'
import type { CodeOutcome } from './policy.ts'

interface Ended {
  readonly num: number
  readonly outcome: CodeOutcome
  readonly revision: string | null
}

interface State extends Ended {
  readonly ref: string | null
  readonly target: string
  readonly label: string | null
  /** The one before it. */
  readonly before: Ended | null
}

export class RefStates {
  readonly #directory: string

  constructor(directory: string) {
    this.#directory = directory
  }

  /**
   * Records how a job ended, and returns the result before it; null if that is unknown. Repeating the call
   * for the same job returns the same, because the record holds both. Undefined for a job that ended after a
   * later one, which says nothing about its ref now.
   */
  note(view: TaskView, outcome: CodeOutcome): Ended | null | undefined {
    const { num, ref, revision, label } = view
    const target = targetOf(view)
    const path = join(
      this.#directory,
      createHash('sha256')
        .update([ref ?? '', target, ...(label ? [label] : [])].join('\n'))
        .digest('hex'),
    )
    const last = read(path)
    if (last && last.num > num) return undefined
    if (last?.num === num) return last.before
    const before = last ? { num: last.num, outcome: last.outcome, revision: last.revision } : null
    makeDirectory(this.#directory)
    const state: State = { num, outcome, revision, ref, target, label, before }
    replaceFile(path, JSON.stringify(state) + '\n')
    return before
  }

  /** Forgets those whose last job is not there any more. */
  tidy(isThere: (num: number) => boolean): void {
    for (const name of listIfThere(this.#directory)) {
      const path = join(this.#directory, name)
      const state = read(path)
      if (state && !isThere(state.num)) ignoringENOENT(() => unlinkSync(path))
    }
  }
}

function read(path: string): State | undefined {
  const text = readIfThere(path)
  return text === undefined ? undefined : (JSON.parse(text) as State)
}
