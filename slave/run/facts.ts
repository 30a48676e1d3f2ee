// Reads the facts that a task's own files hold for its steps.

import { lstatSync } from 'node:fs'
import { join } from 'node:path'

import { readIfThere } from '../../lib/system/durable.ts'
import { askingAgain } from '../../lib/system/listing.ts'
import { parseParams } from '../../lib/spool/event.ts'
import { parseLimits } from '../../lib/spool/limits.ts'
import type { StepFacts } from './environment.ts'
import type { Path } from '../../lib/base/brand.ts'
import { TASK } from '../../lib/spool/job-files.ts'

export interface TaskFacts extends StepFacts {
  /** The limits that its project sets, in place of this machine's. */
  readonly limits?: Readonly<Record<string, string>>
}

/**
 * The revision, the ref, the parameters and the limits of a task; empty where its files do not say. `fault` only if it has
 * one.
 */
export function readTaskFacts(
  task: Path,
): Pick<TaskFacts, 'revision' | 'ref' | 'params' | 'fault' | 'limits'> {
  // Most tasks have few of them, and an error that is thrown costs several times a look.
  const read = (file: string) => {
    const path = join(task, file)
    return (askingAgain(() => lstatSync(path, { throwIfNoEntry: false })) && readIfThere(path)) ?? ''
  }
  // An environment cannot hold a NUL. White space at the end may belong to a ref.
  const word = (file: string) => /^([^\0]*?)[ \n]*$/.exec(read(file))?.[1] ?? ''
  return {
    revision: word(TASK.revision),
    ref: word(TASK.ref),
    params: parseParams(read(TASK.params)),
    fault: read(TASK.error).trim() || undefined,
    limits: parseLimits(read(TASK.limits)),
  }
}
