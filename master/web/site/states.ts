// The states of tasks that pages tell apart. Pure.

import { VERDICTS } from '../../../lib/spool/job.ts'
import type { Verdict } from '../../../lib/spool/job.ts'

/** `unread`: known by its name only. `gone`: it is over, but its job is not there any more. */
export const STATES = ['unread', 'waiting', 'running', 'gone', ...VERDICTS] as const
export type State = (typeof STATES)[number]

/** True if nothing more will become of it. */
export const isOver = (state: State): boolean => STATES.indexOf(state) >= STATES.indexOf('gone')
export const isVerdict = (state: State): state is Verdict => STATES.indexOf(state) > STATES.indexOf('gone')
