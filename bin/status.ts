// bass status: what is going on now.

import { targetOf } from '../lib/spool/task-name.ts'
import type { BoardTask } from '../lib/view/board.ts'
import { Bell } from '../lib/system/bell.ts'
import { command } from '../lib/system/command.ts'
import { lasting, quote } from '../lib/base/exit.ts'
import { duration } from '../lib/base/settings.ts'
import type { HeldChange } from '../lib/spool/held.ts'
import { tellEvents } from '../lib/view/pending-events.ts'
import type { WaitingEvents } from '../lib/view/pending-events.ts'
import { takersLine } from '../lib/view/takers-line.ts'
import { table, terminalOf } from './parts/terminal.ts'
import type { Cell, Terminal } from './parts/terminal.ts'
import { ago, clip, counted, formatSeconds, harmless } from '../lib/base/text.ts'
import { COLOURS } from './parts/verdict-style.ts'
import { runningFor } from '../lib/view/view.ts'
import type { TaskView } from '../lib/view/view.ts'
import type { Overview } from '../lib/view/views.ts'
import { openViews, VIEWS_ENVIRONMENT } from './views/open.ts'

/** How many that are over are shown, and how many that wait for one reason. */
const RECENT = 10
const TOLD = 8
const EACH = 1000

export const verb = command(
  {
    name: 'bass status',
    usage: '[PROJECT] [-n N] [--watch] [--json]',
    operands: [0, 1],
    about: `Lists running tasks, queued ones and why they wait, and those that finished last.

'bass' alone does the same. With PROJECT, only its tasks. The time of a running job is followed by
what such a job took lately, if that is known. The subject of the commit comes last; where a terminal is
narrow, host, architecture and version give way to it.

Held are changes that wait for 'bass approve'; red is what they change of that which decides what is run.

--json prints { now, held, waiting, running, recent, takers, paused, events }: lists of tasks as 'bass show
--json' has them, waiting ones with { wait: { reason, text, place } }, running ones with {
expected } in seconds; and events that no task-maker has taken, as { project, count, oldest }.`,
    options: {
      lines: { type: 'string', about: 'how many finished tasks; 10 by default', alias: 'n', value: 'N' },
      watch: { type: 'boolean', about: 'show it again each second, in place, until Ctrl-C', alias: 'w' },
      json: { type: 'boolean', about: 'print it for programs' },
    },
    environment: {
      ...VIEWS_ENVIRONMENT,
      PROJ: 'the code repository, for subjects; else that of SPOOL/conf/PROJECT/rc',
      LOST_AFTER: 'a taker or job without a beat for this long is called silent',
      NO_COLOR: 'print no colours',
    },
  },
  async ([project], { lines, watch, json }) => {
    if (lines !== undefined && !/^\d{1,4}$/.test(lines))
      throw lasting('understand --lines', `${quote(lines)} is not a number from 0 to 9999`)
    const recent = lines === undefined ? RECENT : Number(lines)
    const views = await openViews()
    const silentAfter = duration('LOST_AFTER')
    const read = () => views.status(project, recent)
    const linesOf = async (status: Overview) => {
      const told = [...status.running, ...toldOf(status.waiting), ...status.recent]
      const subjects = await views.subjects(told)
      return statusLines(
        status,
        terminalOf(),
        silentAfter,
        ({ revision }) => subjects.get(revision ?? '') ?? null,
      )
    }
    if (watch && json) throw lasting('watch as JSON', 'it is one or the other')
    if (watch) return keepShowing(async () => linesOf(await read()))
    const status = await read()
    process.stdout.write((json ? JSON.stringify(status, null, 2) : (await linesOf(status)).join('\n')) + '\n')
    return 0
  },
)

type SubjectOf = (task: TaskView) => string | null

/** The status as lines for a terminal. Pure. */
export function statusLines(
  status: Overview,
  terminal: Terminal,
  silentAfter: number,
  subjectOf: SubjectOf = () => null,
): string[] {
  const { now, waiting, running, recent } = status
  const subject = (task: TaskView): Cell => ({ text: harmless(subjectOf(task) ?? '') })
  const head = (title: string) => terminal.paint('bold', title)
  const parts: string[][] = []
  if (running.length > 0) {
    const rows = running.map(task => [
      ...columns(task),
      ...runningCells(task, now, silentAfter),
      subject(task),
    ])
    parts.push([head('running'), ...table(rows, terminal)])
  }
  if (waiting.length > 0) parts.push([head('queued'), ...waitingLines(waiting, now, terminal, subject)])
  if (recent.length > 0) {
    const rows = recent.map(task => [...columns(task), ...overCells(task, now), subject(task)])
    parts.push([head('over'), ...table(rows, terminal)])
  }
  if (status.events.length > 0)
    parts.push([head('events'), ...status.events.map(event => lineOf(event, now, terminal))])
  if (parts.length === 0) parts.push(["nothing yet: a push, or 'bass event PROJECT', makes a task"])
  if (status.held.length > 0) parts.push([head('held'), ...heldLines(status.held, terminal)])
  parts.push([
    clip(takersLine(status.takers, status.crew, now), terminal.columns),
    ...pausedLine(status.paused, terminal),
  ])
  return parts.flatMap((part, i) => (i === 0 ? part : ['', ...part]))
}

function lineOf(events: WaitingEvents, now: number, terminal: Terminal): string {
  const text = harmless(tellEvents(events, now))
  return `  ${terminal.paint('yellow', clip(text, terminal.columns - 2))}`
}

/** Those that wait, by the reason. */
function byReason(waiting: readonly BoardTask[]): [string, BoardTask[]][] {
  const reasons = [...new Set(waiting.map(task => task.wait!.text))]
  return reasons.map(reason => [reason, waiting.filter(task => task.wait!.text === reason)])
}

const toldOf = (waiting: readonly BoardTask[]) =>
  byReason(waiting).flatMap(([, those]) => those.slice(0, TOLD))

function waitingLines(
  waiting: readonly BoardTask[],
  now: number,
  terminal: Terminal,
  subject: (task: TaskView) => Cell,
): string[] {
  return byReason(waiting).flatMap(([reason, those]) => {
    const rows = those
      .slice(0, TOLD)
      .map(task => [...columns(task), { text: since(task.made, now) }, subject(task)])
    const rest = those.length > TOLD ? [`    and ${counted(those.length - TOLD, 'more', 'more')}`] : []
    return [
      `  ${terminal.paint('blue', clip(harmless(reason), terminal.columns - 2))}`,
      ...table(rows, terminal, '    '),
      ...rest,
    ]
  })
}

/** Changes that wait for a person, and what of them is to be looked at first. */
function heldLines(held: readonly HeldChange[], terminal: Terminal): string[] {
  const rows = held.map(({ project, number, author, title, touches }): Cell[] => [
    { text: project },
    { text: `#${number}`, right: true },
    { text: harmless(author) },
    { text: touches === null ? '' : `changes ${harmless(touches)}`, colour: 'red' },
    { text: harmless(title) },
  ])
  return table(rows, terminal)
}

function columns(task: TaskView): Cell[] {
  return [
    { text: String(task.num), right: true },
    { text: task.project },
    { text: whatOf(task) },
    { text: task.version, spare: 3 },
    { text: targetOf(task), spare: 2 },
  ]
}

/** `#7`, or the branch or tag; with the name of its check, where it has one. */
function whatOf({ params, ref, label }: TaskView): string {
  const change = params['CHANGE']
  const of = change === undefined ? (ref ?? '').replace(/^refs\/(?:heads|tags)\//, '') : `#${change}`
  return harmless(label === null ? of : `${of} ${label}`)
}

function runningCells(task: Overview['running'][number], now: number, silentAfter: number): Cell[] {
  const { job, expected, cancelling } = task
  const step = job?.steps.find(step => step.state === 'running')
  const seconds = runningFor(job, now)
  const elapsed = seconds === null ? '' : formatSeconds(seconds)
  const silent = job?.beat != null && now - job.beat > silentAfter
  return [
    { text: step ? harmless(step.name) : 'setting up', colour: COLOURS.running },
    { text: expected === null ? elapsed : `${elapsed} of ${formatSeconds(expected)}`, right: true },
    silent
      ? { text: `silent for ${formatSeconds((now - job.beat) / 1000)}`, colour: 'red' }
      : cancelling
        ? { text: 'being cancelled', colour: 'yellow' }
        : { text: harmless(job?.host ?? ''), spare: 1 },
  ]
}

function overCells({ job }: TaskView, now: number): Cell[] {
  const verdict = job!.verdict!
  const step = job!.steps.find(step => step.state === 'failure' || step.state === 'timeout')
  return [
    { text: verdict + (step ? ` ${harmless(step.name)}` : ''), colour: COLOURS[verdict] },
    { text: job!.seconds === null ? '' : formatSeconds(job!.seconds), right: true },
    { text: since(job!.ended, now) },
  ]
}

const since = (time: number | null, now: number) => (time === null ? '' : ago(now - time))

function pausedLine(paused: readonly string[], terminal: Terminal): string[] {
  if (paused.length === 0) return []
  const what = paused.map(name => harmless(name.replace(':', ' '))).join(', ')
  return [terminal.paint('yellow', `paused: ${what === 'all' ? 'everything' : what}`)]
}

/** Shows lines in place, each second, until a signal; what is above stays in the terminal's memory. */
async function keepShowing(lines: () => Promise<string[]>): Promise<number> {
  const { stdout } = process
  if (!stdout.isTTY) throw lasting('watch', 'standard output is no terminal')
  const [hide, show] = ['\x1b[?1049h\x1b[?25l', '\x1b[?25h\x1b[?1049l']
  let ended = false
  const isOver = () => ended
  const bell = new Bell()
  const draw = async () => {
    const fitting = (await lines()).slice(0, stdout.rows - 1)
    stdout.write('\x1b[H' + fitting.map(line => `${line}\x1b[K\n`).join('') + '\x1b[J')
  }
  const end = () => {
    ended = true
    bell.ring()
  }
  process.once('SIGINT', end).once('SIGTERM', end)
  const redraw = () => bell.ring()
  stdout.on('resize', redraw)
  stdout.write(hide)
  try {
    while (!isOver()) {
      await draw()
      await bell.next(EACH)
    }
  } finally {
    stdout.off('resize', redraw)
    stdout.write(show)
  }
  return 0
}
