// What a task's own files tell its steps.

import { join } from 'node:path'

import { readIfThere } from '../lib/durable.ts'
import { parseParams } from '../lib/view.ts'
import type { Facts } from './environment.ts'

/** The revision, the ref and the parameters of a task; empty where its files do not say. */
export function readFacts(task: string): Pick<Facts, 'revision' | 'ref' | 'params'> {
  const read = (file: string) => readIfThere(join(task, file)) ?? ''
  return {
    revision: read('code-revision.txt').trim(),
    ref: read('ref.txt').trim(),
    params: parseParams(read('params.txt')),
  }
}
