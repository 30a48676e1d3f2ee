// bass wait: returns when tasks have their verdicts.

import { setTimeout as sleep } from 'node:timers/promises'

import { command, usage } from '../lib/system/command.ts'
import { EXIT, lasting, quote } from '../lib/base/exit.ts'
import { hasEvent } from '../lib/view/pending-events.ts'
import { findAll } from '../lib/view/find-task.ts'
import type { Revisions } from '../lib/view/find-task.ts'
import { isSettled, lastRetry } from '../lib/view/settled.ts'
import { parseDuration } from '../lib/base/settings.ts'
import { openSpool } from '../lib/spool/spool.ts'
import type { Spool } from '../lib/spool/spool.ts'
import type { TaskName } from '../lib/spool/task-name.ts'
import { terminalOf } from '../lib/system/terminal.ts'
import { COLOURS, EXIT_OF, VERDICT_EXITS } from '../lib/view/verdict-style.ts'
import type { TaskView } from '../lib/view/view.ts'

/** How often it looks for verdicts, in milliseconds, and for more tasks of a revision. */
const EACH = 200
const MORE = 1000

const description = {
  name: 'bass wait',
  usage: '[--timeout TIME] [--json] TASK|REV...',
  operands: [1, 1000],
  about: `Returns when all of the tasks have verdicts, and prints each as it comes: name and verdict.

TASK is a number, a name, PROJECT[/REF] (its newest task), or 'last'; REV a revision or its
beginning, which means all its tasks, those still to be made of its events included. A job that was
lost counts by its retry. Exits as the first job did that was no success. --json prints the tasks as
a list, as 'bass show --json' has them, at the end.`,
  options: {
    timeout: { type: 'string', about: 'give up after so long, as 90, 10m or 2h', value: 'TIME' },
    json: { type: 'boolean', about: 'print a list for programs' },
  },
  environment: { SPOOL: 'the spool', NO_COLOR: 'print no colours' },
  exits: { ...VERDICT_EXITS, '99': 'timeout, of a job or of --timeout' },
} as const

export const verb = command(description, async (texts, { timeout, json }) => {
  const limit = timeout === undefined ? Infinity : parseDuration(timeout)
  if (limit === undefined) throw usage(description, `${quote(timeout!)} is not a time such as 90, 10m or 2h`)
  const spool = openSpool()
  const end = performance.now() + limit
  const terminal = terminalOf()
  const told = new Map<string, TaskView>()
  const finders = texts.map(text => finderOf(spool, text))
  for (;;) {
    const { over, rest } = finders.reduce(
      (sum, find) => {
        const { over, rest } = settled(spool, find())
        return { over: [...sum.over, ...over], rest: sum.rest || rest }
      },
      { over: [] as TaskView[], rest: false },
    )
    for (const view of over) {
      const verdict = view.job!.verdict!
      if (!json && !told.has(view.name)) {
        process.stdout.write(`${view.name} ${terminal.paint(COLOURS[verdict], verdict)}\n`)
      }
      told.set(view.name, view)
    }
    if (!rest) break
    if (performance.now() > end) return EXIT.timeout
    await sleep(EACH)
  }
  const views = [...told.values()]
  if (json) process.stdout.write(JSON.stringify(views, null, 2) + '\n')
  return views.map(view => EXIT_OF[view.job!.verdict!]).find(code => code !== EXIT.done)
})

/**
 * Finds the tasks that `text` means, or `coming` where some of them are still to be made. To look through all events and
 * tasks costs more than to ask for a verdict, so it is done each MORE at most.
 */
function finderOf(spool: Spool, text: string): () => readonly TaskName[] | 'coming' {
  const known: Revisions = new Map()
  let found: readonly TaskName[] | 'coming' = 'coming'
  let due = -Infinity
  return () => {
    if (performance.now() < due) return found
    found = hasEvent(spool, text) ? 'coming' : findAll(spool, text, known)
    due = performance.now() + MORE
    return found
  }
}

/** Those of the tasks that have verdicts, and whether others have not. */
function settled(spool: Spool, tasks: readonly TaskName[] | 'coming'): { over: TaskView[]; rest: boolean } {
  if (tasks === 'coming') return { over: [], rest: true }
  const over: TaskView[] = []
  let rest = false
  for (const { name } of tasks) {
    const found = lastRetry(spool, name, 'lost')
    if (!found) throw lasting(`wait for ${quote(name)}`, 'it was pruned')
    if (isSettled(spool, found)) over.push(found.view)
    else rest = true
  }
  return { over, rest }
}
