// bass cancel: asks that tasks end. A file `cancel` in the task says so, waiting or running alike.

import { command } from '../lib/system/command.ts'
import { findOne } from '../lib/view/find-task.ts'
import { openSpool } from '../lib/spool/spool.ts'
import { askCancel } from '../lib/view/wishes.ts'

export const verb = command(
  {
    name: 'bass cancel',
    usage: '[--json] TASK...',
    operands: [1, 1000],
    about: `Asks that tasks be cancelled, whether they wait or run.

TASK is a number, a name, the beginning of a revision, or 'last'. A running job ends within some 3
s, all its processes with it; a waiting task is ended by the reaper. 'bass wait TASK' tells when.
What is over already cannot be cancelled: the others are, and the exit code is 100.

--json prints [{ name, refused }]; refused says why it cannot be, and is null where it was asked.`,
    options: { json: { type: 'boolean', about: 'print what was asked, for programs' } },
    environment: { SPOOL: 'the spool' },
  },
  (texts, { json }) => {
    const spool = openSpool()
    // Each is found before the first is cancelled: a word that means nothing shall not leave half a work done.
    const names = texts.map(text => findOne(spool, text).task.name)
    const asked = names.map(name => ({ name, refused: askCancel(spool, name) }))
    if (json) {
      const rows = asked.map(({ name, refused }) => ({ name, refused: refused?.message ?? null }))
      process.stdout.write(JSON.stringify(rows, null, 2) + '\n')
    }
    const first = asked.find(({ refused }) => refused)
    if (first?.refused) throw first.refused
  },
)
