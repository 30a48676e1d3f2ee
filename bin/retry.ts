// bass retry: publishes the task of a job that is over once more, under a new number.

import { command } from '../lib/command.ts'
import { findOne } from '../lib/find-task.ts'
import { openSpool } from '../lib/spool.ts'
import { retryLast } from '../lib/wishes.ts'

export const verb = command(
  {
    name: 'bass retry',
    usage: 'TASK',
    operands: [1, 1],
    about: `Runs a task that is over once more, with the same code, steps and parameters, and prints the new
task's name.

TASK is a number, a name, the beginning of a revision, or 'last'. If it was retried already, the
last of its retries is the one that is run once more. One that waits or runs is not: cancel it
first.`,
    environment: { SPOOL: 'the spool' },
  },
  ([text]) => {
    const spool = openSpool()
    process.stdout.write(retryLast(spool, findOne(spool, text!).task.name) + '\n')
  },
)
