// bass cancel: asks that tasks end. A file `cancel` in the task says so, waiting or running alike.

import { command } from '../lib/system/command.ts'
import { findAll } from '../lib/view/find-task.ts'
import { mustList } from '../lib/system/listing.ts'
import { openSpool } from '../lib/spool/spool.ts'
import type { Spool } from '../lib/spool/spool.ts'
import { askCancel } from '../lib/view/wishes.ts'

export const verb = command(
  {
    name: 'bass cancel',
    usage: '[--json] TASK...',
    operands: [1, 1000],
    about: `Asks that tasks be cancelled, queued or running, and prints their names.

TASK is a number, a name, a revision or its beginning, PROJECT[/REF], or 'last'. A revision means
all its tasks that are not finished. A running job ends within some 3 s, all its processes with it;
the reaper ends a queued one. 'bass wait TASK' tells when. A finished task cannot be cancelled: the
others are, and the exit code is 100.

--json prints [{ name, refused }]; refused says why it cannot be, and is null where it was asked.`,
    options: { json: { type: 'boolean', about: 'print what was asked, for programs' } },
    environment: { SPOOL: 'the spool' },
  },
  (texts, { json }) => {
    const spool = openSpool()
    // All are found before the first is cancelled: a mistyped word leaves nothing half done.
    const names = [...new Set(texts.flatMap(text => namesOf(spool, text)))]
    const asked = names.map(name => ({ name, refused: askCancel(spool, name) }))
    if (json) {
      const rows = asked.map(({ name, refused }) => ({ name, refused: refused?.message ?? null }))
      process.stdout.write(JSON.stringify(rows, null, 2) + '\n')
    } else {
      for (const { name, refused } of asked) if (!refused) process.stdout.write(`cancelling ${name}\n`)
    }
    const first = asked.find(({ refused }) => refused)
    if (first?.refused) throw first.refused
  },
)

/** The tasks that `text` means; of several, those that are not finished, if there are any. */
function namesOf(spool: Spool, text: string): string[] {
  const names = findAll(spool, text).map(task => task.name)
  const cur = new Set(mustList(spool.tasks.cur))
  const active = names.filter(name => cur.has(name))
  return active.length > 0 ? active : names
}
