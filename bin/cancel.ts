// bass cancel: asks that tasks end. A file `cancel` in the task says so, waiting or running alike.

import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'

import { command } from '../lib/command.ts'
import { fsyncPath, noteChange } from '../lib/durable.ts'
import { ignoringENOENT } from '../lib/errno.ts'
import { lasting, quote } from '../lib/exit.ts'
import { findOne } from '../lib/find-task.ts'
import { look } from '../lib/settled.ts'
import { openSpool } from '../lib/spool.ts'
import type { Spool } from '../lib/spool.ts'

export const verb = command(
  {
    name: 'bass cancel',
    usage: 'TASK...',
    operands: [1, 1000],
    about: `Asks that tasks be cancelled, whether they wait or run.

TASK is a number, a name, the beginning of a revision, or 'last'. A running job ends within some 3
s, all its processes with it; a waiting task is ended by the reaper. 'bass wait TASK' tells when.
What is over already cannot be cancelled: the others are, and the exit code is 100.`,
    environment: { SPOOL: 'the spool' },
  },
  texts => {
    const spool = openSpool()
    // Each is found before the first is cancelled: a word that means nothing shall not leave half a work done.
    const names = texts.map(text => findOne(spool, text).task.name)
    const refused = names.map(name => cancel(spool, name)).filter(why => why !== undefined)
    if (refused[0]) throw refused[0]
  },
)

/** T1 or T3: leaves the wish. Answers why that is not possible. */
function cancel(spool: Spool, name: string): Error | undefined {
  const task = join(spool.tasks.cur, name)
  const job = look(spool, name)?.view.job
  const refuse = (why: string) => lasting(`cancel ${quote(name)}`, why)
  if (job?.verdict) {
    return refuse(
      `it is over: ${job.verdict}${job.retriedAs === null ? '' : `; it was retried as ${job.retriedAs}`}`,
    )
  }
  const asked = ignoringENOENT(() => {
    closeSync(openSync(join(task, 'cancel'), 'a'))
    fsyncPath(task)
    return true
  })
  if (!asked) return refuse('it is over')
  noteChange(task)
  noteChange(spool.tasks.cur)
  return undefined
}
