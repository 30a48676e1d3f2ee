// bass retry: publishes the task of a job that is over once more, under a new number.

import { command } from '../lib/system/command.ts'
import { ACTING_ENVIRONMENT, openViews } from './views/open.ts'

export const verb = command(
  {
    name: 'bass retry',
    usage: '[--json] TASK',
    operands: [1, 1],
    about: `Runs a task that is over once more, with the same code, steps and parameters, and prints the new
task's name.

TASK is a number, a name, a revision or its beginning, PROJECT[/REF], or 'last'. If it was retried
already, the last of its retries is the one that is run once more. One that waits or runs is not:
cancel it first.

--json prints { name, asked }: the new task, and the one that was meant by TASK.`,
    options: { json: { type: 'boolean', about: 'print it for programs' } },
    environment: ACTING_ENVIRONMENT,
  },
  async ([text], { json }) => {
    const views = await openViews()
    const asked = await views.one(text!)
    const name = await views.retry(asked)
    process.stdout.write((json ? JSON.stringify({ name, asked }, null, 2) : name) + '\n')
  },
)
