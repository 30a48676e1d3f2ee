// bass diff: what changed since it last worked.

import { ended, gitEnvironment, startGit, tryGit } from '../lib/git/process.ts'
import { command } from '../lib/system/command.ts'
import { readCommits } from '../lib/git/commit.ts'
import type { CommitView } from '../lib/git/commit.ts'
import { readBoard } from '../lib/view/board.ts'
import { lasting, quote } from '../lib/base/exit.ts'
import { findOne } from './views/find-task.ts'
import { historyOf } from './views/history.ts'
import { repositoryOf } from '../lib/conf/project-settings.ts'
import { duration } from '../lib/base/settings.ts'
import type { Spool } from '../lib/spool/spool.ts'
import { table, terminalOf } from './parts/terminal.ts'
import { harmless } from '../lib/base/text.ts'
import { readView } from '../lib/view/view.ts'
import type { TaskView } from '../lib/view/view.ts'
import { openSpoolHere } from './views/open.ts'

export const verb = command(
  {
    name: 'bass diff',
    usage: '[--patch] [--json] TASK',
    operands: [1, 1],
    about: `Lists the commits of a task's revision since the last success of the same ref and architecture.

TASK is a number, a name, a revision or its beginning, PROJECT[/REF], or 'last'. With --patch it
prints the changes instead, as git diff does. Exits 1 if there was no such success.

--json prints { since, commits: [{ revision, author, email, subject, time }] }, the newest first;
since is the name of the task that succeeded.`,
    options: {
      patch: { type: 'boolean', about: 'print the changes', alias: 'p' },
      json: { type: 'boolean', about: 'print it for programs' },
    },
    environment: {
      SPOOL: 'the spool',
      PROJ: 'the code repository; without it, that of SPOOL/conf/PROJECT/rc',
      NO_COLOR: 'print no colours',
    },
    exits: { '1': 'nothing like it succeeded before' },
  },
  async ([text], { patch, json }) => {
    const spool = openSpoolHere()
    const view = readView(findOne(spool, text!))
    const fail = (why: string) => lasting(`compare ${quote(view?.name ?? text!)}`, why)
    if (!view?.revision) throw fail('its task is gone, and with it the revision')
    const repository = repositoryOf(spool, view.project)
    if (repository === undefined) throw fail('the code repository of its project is not known here')
    const good = lastSuccess(spool, view)
    if (!good?.revision) {
      process.stderr.write(`nothing like ${view.name} has succeeded before it\n`)
      return 1
    }
    const range = `${good.revision}..${view.revision}`
    if (patch) {
      const args = ['diff', '--end-of-options', good.revision, view.revision, '--']
      const start = { place: repository, env: gitEnvironment() }
      return (await ended(startGit(start, args, ['inherit', 'inherit', 'inherit']))).code ?? 111
    }
    const list = tryGit(repository, 'rev-list', '--end-of-options', range)
    if (list === undefined) throw fail(`${repository} has not got both ${good.revision} and ${view.revision}`)
    const ids = list.split('\n').filter(id => id !== '')
    const known = await readCommits(repository, ids)
    const commits = ids.map(id => known.get(id)).filter(commit => commit !== undefined)
    if (json) process.stdout.write(JSON.stringify({ since: good.name, commits }, null, 2) + '\n')
    else process.stdout.write(tell(good, commits).join('\n') + '\n')
    return 0
  },
)

function lastSuccess(spool: Spool, view: TaskView): TaskView | undefined {
  const wanted = (other: { project: string; arch: string; num: number; host?: string | null }) =>
    other.project === view.project &&
    other.arch === view.arch &&
    (other.host ?? null) === view.host &&
    other.num < view.num
  const good = (other: TaskView) => other.job?.verdict === 'success' && other.ref === view.ref
  const recent = readBoard(spool, duration('LOST_AFTER')).tasks.filter(task => wanted(task) && good(task))
  if (recent.length > 0) return recent.at(-1)
  for (const other of historyOf(spool).views(wanted)) if (good(other)) return other
  return undefined
}

function tell(good: TaskView, commits: readonly CommitView[]): string[] {
  const terminal = terminalOf()
  const rows = commits.map(({ revision, author, subject }) => [
    { text: revision.slice(0, 10), colour: 'yellow' as const },
    { text: harmless(author) },
    { text: harmless(subject) },
  ])
  return [
    `since ${good.name}, ${good.revision!.slice(0, 10)}:`,
    ...(rows.length > 0 ? table(rows, terminal) : ['  nothing']),
  ]
}
