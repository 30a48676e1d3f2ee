// Reads what the index keeps of a task: its state, and the small files that pages filter by.

import { join } from 'node:path'

import { parseParams } from '../../../lib/spool/event.ts'
import { readOwner, VERDICTS } from '../../../lib/spool/job.ts'
import { parseRetryOf } from '../../../lib/spool/retry.ts'
import { numberOf } from '../../../lib/spool/task-name.ts'
import { readIfThere } from '../../../lib/system/durable.ts'
import { listIfThere } from '../../../lib/system/listing.ts'
import type { Whereabouts } from '../../../lib/view/whereabouts.ts'
import type { State } from './states.ts'
import type { Facts } from './entry.ts'
import { JOB, TASK } from '../../../lib/spool/job-files.ts'

/** `current`: its task is in `tasks/cur`. */
export function readFacts({ taskAt, jobAt }: Whereabouts, current: boolean): Facts {
  const state = readState(jobAt, current)
  if (state === 'gone') return { state }
  const files = taskAt === undefined ? [] : listIfThere(taskAt)
  const read = (file: string) =>
    taskAt !== undefined && files.includes(file) ? readIfThere(join(taskAt, file)) : undefined
  const host =
    jobAt === undefined ? undefined : (readOwner(jobAt)?.host ?? readIfThere(join(jobAt, JOB.host)))
  const parent = parseRetryOf(read(TASK.retryOf) ?? '')?.parent
  return {
    state,
    host: host?.trim(),
    ref: read(TASK.ref)?.trim(),
    label: read(TASK.label)?.trim(),
    commit: read(TASK.revision)?.trim(),
    change: changeOf(parseParams(read(TASK.params) ?? '')),
    retryOf: parent === undefined ? undefined : numberOf(parent),
  }
}

function readState(jobAt: string | undefined, current: boolean): State {
  const word = jobAt === undefined ? undefined : readIfThere(join(jobAt, JOB.result))?.trim()
  const verdict = VERDICTS.find(verdict => verdict === word)
  if (verdict) return verdict
  if (jobAt === undefined) return current ? 'waiting' : 'gone'
  return listIfThere(jobAt).length > 0 ? 'running' : current ? 'waiting' : 'gone'
}

/** The number, title and author of a change, a line each. */
function changeOf({ CHANGE: number = '', TITLE: title = '', AUTHOR: author = '' }: Record<string, string>) {
  return /^[1-9]\d{0,14}$/.test(number) ? `${number}\n${title}\n${author}` : undefined
}
