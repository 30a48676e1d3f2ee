// bass cancel: asks that tasks end. A file `cancel` in the task says so, waiting or running alike.

import { command } from '../lib/command.ts'
import { findOne } from '../lib/find-task.ts'
import { openSpool } from '../lib/spool.ts'
import { askCancel } from '../lib/wishes.ts'

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
    const refused = names.map(name => askCancel(spool, name)).filter(why => why !== undefined)
    if (refused[0]) throw refused[0]
  },
)
