// bass wait: returns when tasks have their verdicts.

import { setTimeout as sleep } from 'node:timers/promises'

import { command, usage } from '../lib/system/command.ts'
import { EXIT, lasting, quote } from '../lib/base/exit.ts'
import { parseDuration } from '../lib/base/settings.ts'
import { terminalOf } from './parts/terminal.ts'
import { COLOURS, EXIT_OF, VERDICT_EXITS } from './parts/verdict-style.ts'
import type { TaskView } from '../lib/view/view.ts'
import { lastRetryOf } from '../lib/view/views.ts'
import type { TaskId } from '../lib/spool/task-name.ts'
import type { Views } from '../lib/view/views.ts'
import { openViews, VIEWS_ENVIRONMENT } from './views/open.ts'

/** How often it looks for more tasks of a revision, in milliseconds. */
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
  environment: { ...VIEWS_ENVIRONMENT, NO_COLOR: 'print no colours' },
  exits: { ...VERDICT_EXITS, '99': 'timeout, of a job or of --timeout' },
} as const

export const verb = command(description, async (texts, { timeout, json }) => {
  const limit = timeout === undefined ? Infinity : parseDuration(timeout)
  if (limit === undefined) throw usage(description, `${quote(timeout!)} is not a time such as 90, 10m or 2h`)
  const views = await openViews()
  const end = performance.now() + limit
  const terminal = terminalOf()
  const told = new Map<string, TaskView>()
  const finders = texts.map(text => finderOf(views, text))
  for (;;) {
    const { over, rest } = await settledOf(views, finders, told)
    for (const view of over) {
      const verdict = view.job!.verdict!
      if (!json && !told.has(view.name)) {
        process.stdout.write(`${view.name} ${terminal.paint(COLOURS[verdict], verdict)}\n`)
      }
      told.set(view.name, view)
    }
    if (!rest) break
    if (performance.now() > end) return EXIT.timeout
    await sleep(views.pace)
  }
  const all = [...told.values()]
  if (json) process.stdout.write(JSON.stringify(all, null, 2) + '\n')
  return all.map(view => EXIT_OF[view.job!.verdict!]).find(code => code !== EXIT.done)
})

/** Finds the tasks that a text means; `coming` where some of them are still to be made. */
type Finder = () => Promise<readonly TaskId[] | 'coming'>

/** To look through all events and tasks costs more than to ask for a verdict, so it is done each MORE at most. */
function finderOf(views: Views, text: string): Finder {
  let found: readonly TaskId[] | 'coming' = 'coming'
  let due = -Infinity
  return async () => {
    if (performance.now() < due) return found
    found = (await views.isComing(text)) ? 'coming' : await views.all(text)
    due = performance.now() + MORE
    return found
  }
}

/** The tasks that have verdicts, and whether others have not. What was told is not asked for again. */
async function settledOf(
  views: Views,
  finders: readonly Finder[],
  told: ReadonlyMap<string, TaskView>,
): Promise<{ over: TaskView[]; rest: boolean }> {
  const over: TaskView[] = []
  let rest = false
  for (const find of finders) {
    const names = await find()
    if (names === 'coming') {
      rest = true
      continue
    }
    for (const name of names) {
      if (told.has(name)) continue
      const seen = await lastRetryOf(views, name, 'lost')
      if (!seen) throw lasting(`wait for ${quote(name)}`, 'it was pruned')
      if (seen.settled) over.push(seen.view)
      else rest = true
    }
  }
  return { over, rest }
}
