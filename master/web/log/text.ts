// A log as plain text, for curl and for tools: both streams in time order, every byte of them, in memory that does not
// grow with it.

import { formatPosition } from './line.ts'
import type { Line } from './line.ts'
import type { LogWindow, WindowedLog } from './log-window.ts'
import type { StepView } from '../../../lib/view/view.ts'
import { LABEL_LENGTH, parseLabel } from '../../../lib/base/tai64n.ts'

/** Lines at a time: about as many as are read at once. */
const TEXT_WINDOW_LINES = 5000

/** The whole of a log; with `local`, labels become local time as `tai64nlocal` writes it. */
export async function* logText(log: WindowedLog, local: boolean): AsyncGenerator<Buffer> {
  let at = { out: 0, err: 0 } as LogWindow['to']
  for (;;) {
    const window = await log.forward(at, TEXT_WINDOW_LINES)
    let begin = 0
    for (const [i, line] of window.lines.entries()) {
      if (!line.cut) continue
      yield textOf(window.lines.slice(begin, i), local)
      yield Buffer.from(labelOf(line, local))
      yield* rest(log, line)
      begin = i + 1
    }
    yield textOf(window.lines.slice(begin), local)
    if (window.last || formatPosition(window.to) === formatPosition(at)) return
    at = window.to
  }
}

/** The same, and closes the log when its reader has all of it, or has gone. */
export async function* closing(log: WindowedLog, text: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  try {
    yield* text
  } finally {
    await log.close()
  }
}

/** The logs of all steps, one behind the other, each below its name. */
export async function* wholeText(
  steps: readonly StepView[],
  open: (step: StepView) => Promise<WindowedLog>,
  local: boolean,
): AsyncGenerator<Buffer> {
  for (const step of steps) {
    yield Buffer.from(`== ${step.name}: ${step.state}\n`)
    const log = await open(step)
    yield* closing(log, logText(log, local))
  }
}

const NEWLINE = 0x0a

const labelOf = ({ label }: Line, local: boolean): string =>
  label === '' ? '' : `${local ? localLabel(label) : label} `

/** Lines as they are printed, one behind the other. */
function textOf(lines: readonly Line[], local: boolean): Buffer {
  const labels = lines.map(line => labelOf(line, local))
  const size = lines.reduce((sum, { start, end }, i) => sum + labels[i]!.length + end - start + 1, 0)
  const text = Buffer.allocUnsafe(size)
  let at = 0
  for (const [i, { bytes, start, end }] of lines.entries()) {
    at += text.write(labels[i]!, at, 'latin1')
    at += bytes.copy(text, at, start, end)
    text[at++] = NEWLINE
  }
  return text
}

/** The marker after the label of a line that is too long for a window. */
async function* rest(log: WindowedLog, line: Line): AsyncGenerator<Buffer> {
  let skip = line.label === '' ? 0 : LABEL_LENGTH + 1
  for await (const piece of log.bytes(line)) {
    yield Buffer.from(piece.subarray(skip))
    skip = Math.max(0, skip - piece.length)
  }
}

/** `2026-01-02 03:04:05.123456789`, as tai64nlocal prints it. Pure, but for the time zone. */
export function localLabel(label: string): string {
  const time = parseLabel(label)
  if (time === undefined) return label
  const date = new Date(time)
  const two = (n: number) => String(n).padStart(2, '0')
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
  const nanoseconds = parseInt(label.slice(17), 16).toString().padStart(9, '0')
  return `${day} ${clock}.${nanoseconds}`
}
