// bass retry: publishes the task of a job that is over once more, under a new number.

import { join } from 'node:path'

import { command } from '../lib/command.ts'
import { isErrno } from '../lib/errno.ts'
import { lasting, quote } from '../lib/exit.ts'
import { findOne } from '../lib/find-task.ts'
import { republish } from '../lib/retry.ts'
import { lastRetry } from '../lib/settled.ts'
import { openSpool } from '../lib/spool.ts'
import type { Spool } from '../lib/spool.ts'

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
    process.stdout.write(retry(spool, findOne(spool, text!).task.name) + '\n')
  },
)

function retry(spool: Spool, name: string, tries = 3): string {
  const found = lastRetry(spool, name, 'all')
  const refuse = (why: string) => lasting(`retry ${quote(name)}`, why)
  if (!found) throw refuse('what it was retried as has been pruned')
  const { where, view } = found
  const other = view.name === name ? 'it' : `it was retried as ${view.name}, which`
  if (view.state === 'waiting') throw refuse(`${other} still waits`)
  if (view.state === 'running') throw refuse(`${other} is running; 'bass cancel ${view.num}' would end it`)
  try {
    return republish(spool, view.name, where.jobAt ?? join(spool.jobs.old, view.name), 'user')
  } catch (error) {
    // The job has just moved to `old`.
    if (tries > 1 && isErrno(error, 'ENOENT', 'ESTALE')) return retry(spool, name, tries - 1)
    throw error
  }
}
