// How a verdict and a state of a step look, and the exit code that stands for a verdict. Pure.

import { EXIT } from '../../lib/base/exit.ts'
import type { Verdict } from '../../lib/spool/job.ts'
import type { Colour } from './terminal.ts'
import type { StepView } from '../../lib/view/view.ts'

export const COLOURS: Readonly<Record<Verdict | StepView['state'] | 'waiting', Colour>> = {
  success: 'green',
  failure: 'red',
  timeout: 'red',
  error: 'magenta',
  lost: 'yellow',
  cancelled: 'yellow',
  interrupted: 'yellow',
  skipped: 'dim',
  running: 'cyan',
  waiting: 'blue',
}

/** The exit code of `wait`, `log -f` and `run`, which is the job's own. */
export const EXIT_OF: Readonly<Record<Verdict, number>> = {
  success: EXIT.done,
  failure: 1,
  timeout: EXIT.timeout,
  error: EXIT.lasting,
  lost: EXIT.temporary,
  cancelled: 143,
}

/** The same for the help of a command. */
export const VERDICT_EXITS = {
  '0': 'success',
  '1': 'failure',
  '99': 'timeout',
  '100': 'error: the job could not be set up; or wrong usage',
  '111': 'lost, or the system failed',
  '143': 'cancelled',
} as const
