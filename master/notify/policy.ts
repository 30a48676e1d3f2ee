// What of a job is worth telling, and to whom. Pure.

import type { Verdict } from '../../lib/spool/job.ts'
import type { TaskView } from '../../lib/view/view.ts'

export const POLICIES = ['all', 'failures', 'changes'] as const
/** All there is; what did not succeed; the first failure of a ref and architecture, and when that is mended. */
export type Policy = (typeof POLICIES)[number]

/** What can be told of a task, in the order in which it happens. */
export const STAGES = ['waiting', 'running', 'over'] as const
export type Stage = (typeof STAGES)[number]

/** What a verdict says of the code: nothing where somebody cancelled, or the job was lost and runs again. */
export type Outcome = 'good' | 'bad'
export function outcomeOf(verdict: Verdict, retriedAs: string | null): Outcome | null {
  if (verdict === 'success') return 'good'
  return verdict === 'cancelled' || (verdict === 'lost' && retriedAs !== null) ? null : 'bad'
}

/** What an outcome means after the one before it, of the same ref and architecture; null where there was none. */
export type Change = 'broken' | 'mended'
export function changeOf(outcome: Outcome | null, before: Outcome | null): Change | null {
  if (outcome === 'bad') return before === 'bad' ? null : 'broken'
  return outcome === 'good' && before === 'bad' ? 'mended' : null
}

/** True if a channel of this policy is told. */
export function wants(policy: Policy, stage: Stage, outcome: Outcome | null, change: Change | null): boolean {
  if (policy === 'all') return true
  return stage === 'over' && (policy === 'failures' ? outcome === 'bad' : change !== null)
}

/** The stages that a task has come to, whether anybody saw them or not. */
export function stagesOf({ state, job }: TaskView): Stage[] {
  const ran = state === 'running' || (job?.started ?? null) !== null
  return STAGES.filter(stage => stage === 'waiting' || (stage === 'running' ? ran : state === 'over'))
}
