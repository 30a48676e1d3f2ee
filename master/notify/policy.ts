// Decides which events of a job are worth a notice, by policy. Pure.

import type { Verdict } from '../../lib/spool/job.ts'
import type { TaskView } from '../../lib/view/view.ts'

export const POLICIES = ['all', 'failures', 'changes'] as const
/** All there is; what did not succeed; the first failure of a ref, architecture and line of a Testfile, and when that is mended. */
export type Policy = (typeof POLICIES)[number]

/** The stages of a task, in order. */
export const STAGES = ['waiting', 'running', 'over'] as const
export type TaskStage = (typeof STAGES)[number]

/** Whether a verdict speaks for or against the code: null if the job was cancelled, or lost and runs again. */
export type CodeOutcome = 'good' | 'bad'
export function outcomeOf(verdict: Verdict, retriedAs: string | null): CodeOutcome | null {
  if (verdict === 'success') return 'good'
  return verdict === 'cancelled' || (verdict === 'lost' && retriedAs !== null) ? null : 'bad'
}

/** The change from the outcome before, of the same ref, architecture and line; null if there was none. */
export type StatusChange = 'broken' | 'mended'
export function changeOf(outcome: CodeOutcome | null, before: CodeOutcome | null): StatusChange | null {
  if (outcome === 'bad') return before === 'bad' ? null : 'broken'
  return outcome === 'good' && before === 'bad' ? 'mended' : null
}

/** True if a channel of this policy gets the notice. */
export function wants(
  policy: Policy,
  stage: TaskStage,
  outcome: CodeOutcome | null,
  change: StatusChange | null,
): boolean {
  if (policy === 'all') return true
  return stage === 'over' && (policy === 'failures' ? outcome === 'bad' : change !== null)
}

/** The stages that a task has reached, whether observed or not. */
export function stagesOf({ state, job }: TaskView): TaskStage[] {
  const ran = state === 'running' || (job?.started ?? null) !== null
  return STAGES.filter(stage => stage === 'waiting' || (stage === 'running' ? ran : state === 'over'))
}
