// bass show: everything about one task.

import { command } from '../lib/system/command.ts'
import { lasting, quote } from '../lib/base/exit.ts'
import { table, terminalOf } from './parts/terminal.ts'
import type { Cell, Terminal } from './parts/terminal.ts'
import { ago, formatBytes, formatSeconds, harmless, harmlessLine } from '../lib/base/text.ts'
import { COLOURS } from './parts/verdict-style.ts'
import { pusherOf, runningFor } from '../lib/view/view.ts'
import type { StepView } from '../lib/view/view.ts'
import type { TaskDetails } from '../lib/view/views.ts'
import { tellWait } from '../lib/view/why-waiting.ts'
import { openViews, VIEWS_ENVIRONMENT } from './views/open.ts'

/** How many artifacts are shown. */
const ARTIFACTS = 20

export const verb = command(
  {
    name: 'bass show',
    usage: '[--json] TASK',
    operands: [1, 1],
    about: `Shows one task: what it is of, where it ran, its steps, and the end of the one that failed.

TASK is a number, a name, a revision or its beginning, PROJECT[/REF], or 'last'. Author and subject
are shown where the code repository is on this host.

--json prints one object: name num project version arch host state (waiting, running, over)
revision ref params retryOf loss priority made cancelling job wait commit taskDirectory jobDirectory
artifactFiles lastLines; job has verdict host slot place claimed started ended seconds beat steps
error retriedAs artifacts notes; a step has name state exit signal started ended seconds. Every key is always
there, null where there is nothing to say; times are milliseconds since 1970.`,
    options: { json: { type: 'boolean', about: 'print it for programs' } },
    environment: {
      ...VIEWS_ENVIRONMENT,
      PROJ: 'the code repository of the project',
      NO_COLOR: 'print no colours',
    },
  },
  async ([text], { json }) => {
    const views = await openViews()
    const name = await views.one(text!)
    const shown = await views.show(name)
    if (!shown) throw lasting(`show ${quote(name)}`, 'it has just been pruned')
    const terminal = terminalOf()
    process.stdout.write((json ? JSON.stringify(shown, null, 2) : lines(shown, terminal).join('\n')) + '\n')
    return 0
  },
)

/** The output as lines for a terminal. */
function lines(shown: TaskDetails, terminal: Terminal, now = Date.now()): string[] {
  const parts = [
    [terminal.paint('bold', shown.name), ...table(facts(shown, now), terminal)],
    section('steps', table((shown.job?.steps ?? []).map(stepCells), terminal), terminal),
    lastPart(shown, terminal),
    section('artifacts', artifactLines(shown, terminal), terminal),
  ]
  return parts.filter(part => part.length > 0).flatMap((part, i) => (i === 0 ? part : ['', ...part]))
}

const section = (title: string, body: string[], terminal: Terminal) =>
  body.length === 0 ? [] : [terminal.paint('bold', title), ...body]

function facts(shown: TaskDetails, now: number): Cell[][] {
  const { job, commit, wait, retryOf, loss, made } = shown
  const { pusher, params } = pusherOf(shown)
  const rows: [string, string | null | undefined, Cell['colour']?][] = [
    ['state', stateInWords(shown, now), COLOURS[job?.verdict ?? (shown.state as 'waiting')]],
    ['why', job?.error ?? (wait && tellWait(wait))],
    ...(job?.notes ?? []).map((note): [string, string] => ['note', note]),
    ['ref', shown.ref],
    ['revision', shown.revision],
    ['author', commit && `${commit.author} <${commit.email}>`],
    ['subject', commit?.subject],
    ['pusher', pusher],
    ...Object.entries(params).map(([key, value]): [string, string] => ['param', `${key}=${value}`]),
    ['made', made === null ? null : ago(now - made)],
    ['taker', job?.host == null ? null : `${job.host} ${job.slot ?? ''}`],
    ['runs in', job?.place],
    [
      'retry of',
      retryOf &&
        `${retryOf.parent}, ${{ lost: 'which was lost', drain: 'whose taker was stopped', fault: 'whose taker could not run jobs', user: 'as asked' }[retryOf.cause]}`,
    ],
    ['lost before', loss],
    ['retried as', job?.retriedAs],
    ['task', shown.taskDirectory],
    ['job', shown.jobDirectory],
  ]
  return rows.flatMap(([key, value, colour]) =>
    value
      ? [
          [
            { text: key, colour: 'dim' as const },
            { text: harmless(value), ...(colour ? { colour } : {}) },
          ],
        ]
      : [],
  )
}

function stateInWords({ state, job, cancelling, made }: TaskDetails, now: number): string {
  const asked = cancelling && state !== 'over' ? ', to be cancelled' : ''
  if (state === 'waiting')
    return `queued${made === null ? '' : ` for ${formatSeconds((now - made) / 1000)}`}${asked}`
  if (job?.verdict) {
    return `${job.verdict}${job.seconds === null ? '' : ` in ${formatSeconds(job.seconds)}`}${job.ended === null ? '' : `, ${ago(now - job.ended)}`}`
  }
  const seconds = runningFor(job, now)
  return `running${seconds === null ? '' : ` for ${formatSeconds(seconds)}`}${asked}`
}

function stepCells(step: StepView): Cell[] {
  const { name, state, exit, signal, seconds } = step
  const how =
    signal !== null ? `signal ${signal}` : state === 'failure' && exit !== null ? `exit ${exit}` : ''
  return [
    { text: harmless(name) },
    { text: seconds === null ? '' : formatSeconds(seconds), right: true },
    { text: state, colour: COLOURS[state] },
    { text: how },
  ]
}

function lastPart({ lastLines, job }: TaskDetails, terminal: Terminal): string[] {
  const [first] = lastLines
  if (!first) return []
  const body = lastLines.map(({ stream, text }) => {
    const sign = stream === 'stderr' ? terminal.paint('red', '!') : terminal.paint('dim', '|')
    return `  ${sign} ${harmlessLine(text, terminal.colours)}${terminal.colours ? '\x1b[0m' : ''}`
  })
  return section(`${job?.verdict ? 'the end of' : 'now in'} ${harmless(first.step)}`, body, terminal)
}

function artifactLines({ artifactFiles }: TaskDetails, terminal: Terminal): string[] {
  const rows = artifactFiles
    .slice(0, ARTIFACTS)
    .map(({ path, bytes }): Cell[] => [{ text: formatBytes(bytes), right: true }, { text: harmless(path) }])
  const more = artifactFiles.length - rows.length
  return [...table(rows, terminal), ...(more > 0 ? [`  and ${more} more`] : [])]
}
