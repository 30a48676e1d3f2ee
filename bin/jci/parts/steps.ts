// Runs the steps in `.bass/` of a work tree, with the engine of `bass run`, and keeps their logs and artifacts.

import { existsSync } from 'node:fs'
import { join } from 'node:path'

import { copySync } from 'fs-extra'

import { readLimits } from '../../../slave/run/limits.ts'
import { Pools } from '../../../slave/run/places/pools.ts'
import { runStepsHere } from '../../../slave/run/run-steps.ts'
import { atBench } from '../../parts/workbench.ts'
import { copyWorkingTree } from '../../parts/working-tree.ts'
import type { RunOutcome, RunWork } from './work.ts'

/** Runs them on a copy of the work tree; returns when nothing of them is left. */
export async function runBassSteps({ top, output, say }: RunWork, stop: AbortSignal): Promise<RunOutcome> {
  return atBench(async work => {
    const { task, job, environment } = await copyWorkingTree(top, work)
    // The reason by which the engine knows a person's wish.
    const cancel = new AbortController()
    const onStop = () => cancel.abort('cancelled')
    stop.addEventListener('abort', onStop)
    if (stop.aborted) onStop()
    const limits = { ...readLimits(), tmux: false }
    const { verdict, why } = await runStepsHere(
      { task, work, job, environment, limits },
      cancel.signal,
      new Pools(),
      {
        step: name => say(Buffer.from(`== ${name}\n`)),
        output: say,
      },
    ).finally(() => stop.removeEventListener('abort', onStop))
    for (const name of ['steps', 'artifacts']) {
      if (existsSync(join(job, name))) copySync(join(job, name), join(output, name))
    }
    const how = why === undefined ? verdict : `${verdict}: ${why}`
    return { ok: verdict === 'success', how, keep: false }
  })
}
