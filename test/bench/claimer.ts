// One of several claimants: at each message it claims tasks as a task-taker does, by listing, choosing and looking into each,
// but runs none, until a listing has nothing left for it. Answers the names.

import { join } from 'node:path'

import { claim } from '../../lib/spool/claim.ts'
import { token } from '../../lib/system/durable.ts'
import { listAllIfThere } from '../../lib/system/listing.ts'
import { newOwner } from '../../lib/spool/job.ts'
import type { TaskId } from '../../lib/spool/task-name.ts'
import { spoolAt, taskLister } from '../../lib/spool/spool.ts'
import { candidates, workOff } from '../../slave/sources/scan.ts'

const [root, host] = process.argv.slice(2) as [string, string]
const spool = spoolAt(root)
const listTasks = taskLister(spool.tasks.cur)

function claimAll(): string[] {
  const mine: string[] = []
  let taken = new Set<TaskId>()
  let last = 0
  for (;;) {
    const tasks = listTasks()
    const listed = new Set(tasks.map(task => task.name))
    taken = new Set([...taken].filter(name => listed.has(name)))
    const choice = candidates(tasks, 'testarch', host, last, taken)
    if (choice.length === 0) return mine
    const turns = workOff(tasks, choice, listTasks)
    for (let missed = false; ;) {
      const turn = turns.next(missed)
      if (turn.done) break
      const task = turn.value
      missed = false
      if (!listAllIfThere(join(spool.tasks.cur, task.name)).includes('claim')) {
        if (claim(spool, task.name, newOwner(host, `/slots/${host}`, token()))) {
          mine.push(task.name)
          last = task.num
        } else missed = true
      }
      taken.add(task.name)
    }
  }
}

process.on('message', () => process.send!(claimAll()))
