// bass cancel: asks that tasks end. A file `cancel` in the task says so, waiting or running alike.

import { command } from '../lib/system/command.ts'
import { findAll } from '../lib/view/find-task.ts'
import { mustList } from '../lib/system/listing.ts'
import { openSpool } from '../lib/spool/spool.ts'
import type { Spool } from '../lib/spool/spool.ts'
import type { TaskId } from '../lib/spool/task-name.ts'
import { cancelLast } from '../lib/view/wishes.ts'

export const verb = command(
  {
    name: 'bass cancel',
    usage: '[--json] TASK...',
    operands: [1, 1000],
    about: `Asks that tasks be cancelled, queued or running, and prints their names.

TASK is a number, a name, a revision or its beginning, PROJECT[/REF], or 'last'. A revision means
all its tasks that are not finished. Of a task that was retried, the last retry is cancelled. A
running job ends within some 3 s, all its processes with it; the reaper ends a queued one. 'bass
wait TASK' tells when. What is finished cannot be cancelled: the others are, and the exit code
is 100.

--json prints [{ asked, name, refused }]: the task that TASK means; what is cancelled, it or its last
retry; and why that cannot be, null where it was asked.`,
    options: { json: { type: 'boolean', about: 'print what was asked, for programs' } },
    environment: { SPOOL: 'the spool' },
  },
  (texts, { json }) => {
    const spool = openSpool()
    // All are found before the first is cancelled: a mistyped word leaves nothing half done.
    const names = [...new Set(texts.flatMap(text => namesOf(spool, text)))]
    const all = names.map(asked => ({ asked, ...cancelLast(spool, asked) }))
    if (json) {
      const rows = all.map(({ asked, name, refused }) => ({ asked, name, refused: refused?.message ?? null }))
      process.stdout.write(JSON.stringify(rows, null, 2) + '\n')
    } else {
      for (const { asked, name, refused } of all) {
        const whose = name === asked ? '' : `, as which ${asked} was retried`
        if (!refused) process.stdout.write(`cancelling ${name}${whose}\n`)
      }
    }
    const first = all.find(({ refused }) => refused)
    if (first?.refused) throw first.refused
  },
)

/** The tasks that `text` means; of several, those that are not finished, if there are any. */
function namesOf(spool: Spool, text: string): TaskId[] {
  const names = findAll(spool, text).map(task => task.name)
  const cur = new Set(mustList(spool.tasks.cur))
  const active = names.filter(name => cur.has(name))
  return active.length > 0 ? active : names
}
