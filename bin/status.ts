// bass status: what is going on now.

import { readBoard } from '../lib/view/board.ts'
import type { Board, BoardTask } from '../lib/view/board.ts'
import { command } from '../lib/system/command.ts'
import { lasting } from '../lib/base/exit.ts'
import { historyOf } from '../lib/view/history.ts'
import type { History } from '../lib/view/history.ts'
import { duration } from '../lib/base/settings.ts'
import { heldChanges } from '../lib/spool/held.ts'
import type { HeldChange } from '../lib/spool/held.ts'
import { openSpool } from '../lib/spool/spool.ts'
import type { Spool } from '../lib/spool/spool.ts'
import { takersLine } from '../lib/view/takers-line.ts'
import { table, terminalOf } from '../lib/system/terminal.ts'
import type { Cell, Terminal } from '../lib/system/terminal.ts'
import { ago, clip, counted, formatSeconds, harmless } from '../lib/base/text.ts'
import { COLOURS } from '../lib/view/verdict-style.ts'
import type { TaskView } from '../lib/view/view.ts'

/** How many that are over are shown, and how many that wait for one reason. */
const RECENT = 10
const TOLD = 8
const EACH = 1000

/** The shape that `--json` prints. */
interface Status extends Omit<Board, 'tasks'> {
  readonly held: readonly HeldChange[]
  readonly waiting: readonly BoardTask[]
  readonly running: readonly (BoardTask & { readonly expected: number | null })[]
  readonly recent: readonly BoardTask[]
}

export const verb = command(
  {
    name: 'bass status',
    usage: '[PROJECT] [--watch] [--json]',
    operands: [0, 1],
    about: `Lists running tasks, queued ones and why they wait, and those that finished last.

'bass' alone does the same. With PROJECT, only its tasks. The time of a running job is followed by
what such a job took lately, if that is known.

Held are changes that wait for 'bass approve'; red is what they change of that which decides what is run.

--json prints { now, held, waiting, running, recent, takers, paused }: lists of tasks as 'bass show
--json' has them, waiting ones with { wait: { reason, text, place } }, running ones with {
expected } in seconds.`,
    options: {
      watch: { type: 'boolean', about: 'show it again each second, in place, until Ctrl-C', alias: 'w' },
      json: { type: 'boolean', about: 'print it for programs' },
    },
    environment: {
      SPOOL: 'the spool',
      LOST_AFTER: 'a taker or job without a beat for this long is called silent',
      NO_COLOR: 'print no colours',
    },
  },
  async ([project], { watch, json }) => {
    const spool = openSpool()
    const history = historyOf(spool)
    const silentAfter = duration('LOST_AFTER')
    const read = () => readStatus(spool, history, silentAfter, project)
    if (watch && json) throw lasting('watch as JSON', 'it is one or the other')
    if (watch) return keepShowing(() => statusLines(read(), terminalOf(), silentAfter))
    if (json) process.stdout.write(JSON.stringify(read(), null, 2) + '\n')
    else process.stdout.write(statusLines(read(), terminalOf(), silentAfter).join('\n') + '\n')
    return 0
  },
)

function readStatus(spool: Spool, history: History, silentAfter: number, project?: string): Status {
  const { tasks, ...rest } = readBoard(spool, silentAfter)
  const wanted = (task: { project: string }) => project === undefined || task.project === project
  const ours = tasks.filter(wanted)
  const recent = ours.filter(task => task.state === 'over').reverse()
  const current = [...recent]
  for (const view of history.views(wanted)) {
    if (recent.length >= RECENT) break
    if (!recent.some(other => other.name === view.name)) recent.push({ ...view, wait: null })
  }
  return {
    ...rest,
    waiting: ours.filter(task => task.state === 'waiting'),
    running: ours
      .filter(task => task.state === 'running')
      .map(task => ({ ...task, expected: history.usualSeconds(task, current) })),
    held: heldChanges(spool).filter(change => project === undefined || change.project === project),
    recent: recent.sort((a, b) => (b.job?.ended ?? 0) - (a.job?.ended ?? 0)).slice(0, RECENT),
  }
}

/** The status as lines for a terminal. Pure. */
export function statusLines(status: Status, terminal: Terminal, silentAfter: number): string[] {
  const { now, waiting, running, recent } = status
  const head = (title: string) => terminal.paint('bold', title)
  const parts: string[][] = []
  if (running.length > 0) {
    const rows = running.map(task => [...columns(task), ...runningCells(task, now, silentAfter)])
    parts.push([head('running'), ...table(rows, terminal)])
  }
  if (waiting.length > 0) parts.push([head('queued'), ...waitingLines(waiting, now, terminal)])
  if (recent.length > 0) {
    const rows = recent.map(task => [...columns(task), ...overCells(task, now)])
    parts.push([head('over'), ...table(rows, terminal)])
  }
  if (parts.length === 0) parts.push(["nothing yet: a push, or 'bass event PROJECT', makes a task"])
  if (status.held.length > 0) parts.push([head('held'), ...heldLines(status.held, terminal)])
  parts.push([clip(takersLine(status.takers, now), terminal.columns), ...pausedLine(status.paused, terminal)])
  return parts.flatMap((part, i) => (i === 0 ? part : ['', ...part]))
}

function waitingLines(waiting: readonly BoardTask[], now: number, terminal: Terminal): string[] {
  const reasons = [...new Set(waiting.map(task => task.wait!.text))]
  return reasons.flatMap(reason => {
    const those = waiting.filter(task => task.wait!.text === reason)
    const rows = those.slice(0, TOLD).map(task => [...columns(task), { text: since(task.made, now) }])
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
    { text: task.version },
    { text: task.host === null ? task.arch : `${task.arch}:${task.host}` },
  ]
}

/** `#7`, or the branch or tag; with the name of its check, where it has one. */
function whatOf({ params, ref, label }: TaskView): string {
  const change = params['CHANGE']
  const of = change === undefined ? (ref ?? '').replace(/^refs\/(?:heads|tags)\//, '') : `#${change}`
  return harmless(label === null ? of : `${of} ${label}`)
}

function runningCells(task: Status['running'][number], now: number, silentAfter: number): Cell[] {
  const { job, expected, cancelling } = task
  const step = job?.steps.find(step => step.state === 'running')
  const elapsed = job?.claimed == null ? '' : formatSeconds(Math.max(0, now - job.claimed) / 1000)
  const silent = job?.beat != null && now - job.beat > silentAfter
  return [
    { text: step ? harmless(step.name) : 'setting up', colour: COLOURS.running },
    { text: expected === null ? elapsed : `${elapsed} of ${formatSeconds(expected)}`, right: true },
    silent
      ? { text: `silent for ${formatSeconds((now - job.beat) / 1000)}`, colour: 'red' }
      : cancelling
        ? { text: 'being cancelled', colour: 'yellow' }
        : { text: harmless(job?.host ?? '') },
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
async function keepShowing(lines: () => string[]): Promise<number> {
  const { stdout } = process
  if (!stdout.isTTY) throw lasting('watch', 'standard output is no terminal')
  const [hide, show] = ['\x1b[?1049h\x1b[?25l', '\x1b[?25h\x1b[?1049l']
  let ended = false
  let wake: (() => void) | undefined
  const draw = () => {
    const fitting = lines().slice(0, stdout.rows - 1)
    stdout.write('\x1b[H' + fitting.map(line => `${line}\x1b[K\n`).join('') + '\x1b[J')
  }
  const end = () => {
    ended = true
    wake?.()
  }
  process.once('SIGINT', end).once('SIGTERM', end)
  stdout.on('resize', draw)
  stdout.write(hide)
  try {
    while (!ended) {
      draw()
      await new Promise<void>(done => {
        const timer = setTimeout(done, EACH)
        wake = () => {
          clearTimeout(timer)
          done()
        }
      })
    }
  } finally {
    stdout.off('resize', draw)
    stdout.write(show)
  }
  return 0
}
