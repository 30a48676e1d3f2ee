// What a task's own files tell its steps.

import { join } from 'node:path'

import { readIfThere } from '../../lib/system/durable.ts'
import { parseParams } from '../../lib/spool/event.ts'
import type { Facts } from './environment.ts'

/** The revision, the ref and the parameters of a task; empty where its files do not say. `fault` only if it has one. */
export function readFacts(task: string): Pick<Facts, 'revision' | 'ref' | 'params' | 'fault'> {
  const read = (file: string) => readIfThere(join(task, file)) ?? ''
  // No environment can hold a NUL. What is white space to others may be the end of a ref.
  const word = (file: string) => /^([^\0]*?)[ \n]*$/.exec(read(file))?.[1] ?? ''
  return {
    revision: word('code-revision.txt'),
    ref: word('ref.txt'),
    params: parseParams(read('params.txt')),
    fault: read('error.txt').trim() || undefined,
  }
}
