// Finds the script to run in a work tree.

import { existsSync } from 'node:fs'
import { join } from 'node:path'

import { lasting, quote } from '../../../lib/base/exit.ts'
import type { RunOutcome, RunWork } from './work.ts'

type Runner = (work: RunWork, stop: AbortSignal) => Promise<RunOutcome>

/** Finds the script, or else the steps, in a work tree, which is called `shown`. Throws Fatal, with how to begin, if there is nothing. */
export function findRunner(top: string, shown: string): Runner {
  const script = join(top, '.jci/run.sh')
  if (existsSync(script)) {
    return async (work, stop) => (await import('./script.ts')).runScript(script, work, stop)
  }
  if (existsSync(join(top, '.bass'))) {
    return async (work, stop) => (await import('./steps.ts')).runBassSteps(work, stop)
  }
  const why = "there is no '.jci/run.sh'; write one that tests what you want, and commit it"
  throw lasting(`run anything in ${quote(shown)}`, why)
}
