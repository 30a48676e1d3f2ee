// How the lines of a job's log are printed: for people or for programs.

import { once } from 'node:events'

import { timeOfLine } from '../../lib/view/job-log.ts'
import type { LogLine } from '../../lib/view/job-log.ts'
import { terminalOf } from './terminal.ts'
import { formatSeconds, harmless, harmlessLine } from '../../lib/base/text.ts'
import { COLOURS } from './verdict-style.ts'
import type { StepView, TaskView } from '../../lib/view/view.ts'

/** The formats of a line's time. */
export const TIME_FORMATS = ['relative', 'local', 'label', 'none'] as const

export interface Printer {
  stepBegins(step: StepView): void
  line(step: StepView, line: LogLine, begin: number): void
  stepEnded(step: StepView): void
  jobEnded(view: TaskView): void
  /** True when so much has been said that it should be flushed. */
  isFull(): boolean
  /** Writes what was said so far, and waits for a reader that is slow; one that has gone ends the program. */
  flush(): Promise<void>
}

/** Lines for standard output, written many at a time. */
function gathered() {
  let out = ''
  const isFull = () => out.length > 1 << 16
  const flush = async () => {
    const text = out
    out = ''
    if (text !== '' && !process.stdout.write(text)) await once(process.stdout, 'drain')
  }
  const say = (line: string) => {
    out += line + '\n'
  }
  return { say, isFull, flush }
}

/** Prints for people; `headings` adds lines for steps and the verdict. */
export function textPrinter(how: (typeof TIME_FORMATS)[number], headings: boolean): Printer {
  const terminal = terminalOf()
  const { say, isFull, flush } = gathered()
  const stamp = (line: LogLine, begin: number): string => {
    if (how === 'none') return ''
    const time = timeOfLine(line)
    const shown = { label: line.label, local: localTime(time), relative: relativeTime(time, begin) }[how]
    const sign = line.stream === 'stderr' ? terminal.paint('red', '!') : terminal.paint('dim', '|')
    return `${terminal.paint('dim', shown)} ${sign} `
  }
  return {
    isFull,
    flush,
    stepBegins: ({ name }) => {
      if (headings) say(terminal.paint('bold', `== ${harmless(name)}`))
    },
    line: (_step, line, begin) => {
      const text = harmlessLine(line.text, terminal.colours)
      // Resets the colour: an unfinished one must not affect the next line.
      say(stamp(line, begin) + text + (text.includes('\x1b') ? '\x1b[0m' : ''))
    },
    stepEnded: step => {
      if (headings) say(`== ${harmless(step.name)}: ${terminal.paint(COLOURS[step.state], tellStep(step))}`)
    },
    jobEnded: ({ name, job }) => {
      if (!headings) return
      const why = job!.error === null ? '' : `: ${harmless(job!.error)}`
      const retry = job!.retriedAs === null ? '' : ` (retried as ${harmless(job!.retriedAs)})`
      say(`== ${name}: ${terminal.paint(COLOURS[job!.verdict!], job!.verdict!)}${retry}${why}`)
    },
  }
}

function tellStep({ state, exit, signal, seconds }: StepView): string {
  const how =
    signal !== null ? ` (signal ${signal})` : exit !== null && state === 'failure' ? ` (exit ${exit})` : ''
  return `${state}${how}${seconds === null ? '' : `, ${formatSeconds(seconds)}`}`
}

const relativeTime = (time: number | null, begin: number): string =>
  (time === null ? '' : ((time - begin) / 1000).toFixed(3)).padStart(9)

function localTime(time: number | null): string {
  if (time === null) return ' '.repeat(12)
  const date = new Date(time)
  const part = (n: number, digits = 2) => String(n).padStart(digits, '0')
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()].map(n => part(n)).join(':')
  return `${clock}.${part(date.getMilliseconds(), 3)}`
}

/** Prints a JSON object for each line, and nothing else. */
export function jsonPrinter(): Printer {
  const { say, isFull, flush } = gathered()
  const nothing = () => undefined
  return {
    isFull,
    flush,
    stepBegins: nothing,
    stepEnded: nothing,
    jobEnded: nothing,
    line: (step, line) => {
      const time = timeOfLine(line)
      const rounded = time === null ? null : Math.round(time)
      const { stream, text } = line
      say(JSON.stringify({ step: step.name, stream, time: rounded, text }))
    },
  }
}
