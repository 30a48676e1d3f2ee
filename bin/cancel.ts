// bass cancel: asks that tasks end. A file `cancel` in the task says so, waiting or running alike.

import { told } from '../lib/base/exit.ts'
import { command } from '../lib/system/command.ts'
import type { TaskId } from '../lib/spool/task-name.ts'
import type { Views } from '../lib/view/views.ts'
import { ACTING_ENVIRONMENT, openViews } from './views/open.ts'

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
    environment: ACTING_ENVIRONMENT,
  },
  async (texts, { json }) => {
    const views = await openViews()
    // All are found before the first is cancelled: a mistyped word leaves nothing half done.
    const names = new Set<TaskId>()
    for (const text of texts) for (const name of await namesOf(views, text)) names.add(name)
    const rows: { asked: TaskId; name: TaskId; refused: string | null }[] = []
    for (const asked of names) {
      const { name, refused } = await views.cancel(asked)
      rows.push({ asked, name, refused })
      if (json || refused !== null) continue
      process.stdout.write(`cancelling ${name}${name === asked ? '' : `, as which ${asked} was retried`}\n`)
    }
    if (json) process.stdout.write(JSON.stringify(rows, null, 2) + '\n')
    const refused = rows.find(row => row.refused !== null)?.refused
    if (refused != null) throw told(refused)
  },
)

/** The tasks that `text` means; of several, those that are not finished, if there are any. */
async function namesOf(views: Views, text: string): Promise<readonly TaskId[]> {
  const names = await views.all(text)
  if (names.length === 1) return names
  const active: TaskId[] = []
  for (const name of names) {
    const seen = await views.look(name)
    if (seen && !seen.settled) active.push(name)
  }
  return active.length > 0 ? active : names
}
