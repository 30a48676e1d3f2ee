// bass log: what a job wrote, and what it goes on to write.

import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { readBoard } from '../lib/view/board.ts'
import { command } from '../lib/system/command.ts'
import { lasting, quote, temporary } from '../lib/base/exit.ts'
import { findOne } from '../lib/view/find-task.ts'
import { MergedLog } from '../lib/view/job-log.ts'
import type { LogLine } from '../lib/view/job-log.ts'
import { jsonPrinter, textPrinter, TIMES } from './parts/log-printer.ts'
import type { Printer } from './parts/log-printer.ts'
import { duration } from '../lib/base/settings.ts'
import { isSettled, lastRetry, look } from '../lib/view/settled.ts'
import type { Found } from '../lib/view/settled.ts'
import { openSpool } from '../lib/spool/spool.ts'
import type { Spool } from '../lib/spool/spool.ts'
import { harmless } from '../lib/base/text.ts'
import { EXIT_OF, VERDICT_EXITS } from '../lib/view/verdict-style.ts'
import type { StepView, TaskView } from '../lib/view/view.ts'
import { tellWait } from '../lib/view/why-waiting.ts'
import type { TaskId } from '../lib/spool/task-name.ts'

/** How often a running job is read, and how often the reason for waiting is refreshed, in milliseconds. */
const EACH = 150
const TELL_EACH = 2000

export const verb = command(
  {
    name: 'bass log',
    usage: '[-f] [-n N] [--time HOW] [--json] TASK [STEP]',
    operands: [1, 2],
    about: `Prints what the steps of a job wrote, both streams in the order of time.

TASK is a number, a name, a revision or its beginning, PROJECT[/REF], or 'last'; STEP the name of a
step or a part of it. Each line stands behind its time, in seconds since the job began, and '|', or
'!' where it was an error stream. Of escape sequences only colours reach a terminal, and nothing
reaches a pipe. Without STEP, headings tell where a step begins and how it ended.

With -n it begins N lines before the end of the step that failed, or of the one that runs, or of STEP.
With -f it waits for the job to start, follows it, goes on with the retry if it was lost, and
exits as the job did. --json prints a line { step, stream, time, text } for each; time in
milliseconds since 1970.`,
    options: {
      follow: { type: 'boolean', about: 'go on until there is a verdict', alias: 'f' },
      lines: { type: 'string', about: 'only the last N lines of a step', alias: 'n', value: 'N' },
      time: { type: 'string', about: `how to tell the time: ${TIMES.join(', ')}`, value: 'HOW' },
      json: { type: 'boolean', about: 'print lines for programs' },
    },
    environment: { SPOOL: 'the spool', NO_COLOR: 'print no colours', TZ: 'the time zone of --time local' },
    exits: VERDICT_EXITS,
  },
  async ([text, step], { follow, lines, time, json }) => {
    const spool = openSpool()
    if (lines !== undefined && !/^[1-9]\d{0,5}$/.test(lines))
      throw lasting('understand --lines', `${quote(lines)} is not a number from 1 to 999999`)
    const how = TIMES.find(word => word === (time ?? 'relative'))
    if (!how) throw lasting('understand --time', `${quote(time!)} is not one of ${TIMES.join(', ')}`)
    const { task } = findOne(spool, text!)
    const print = json ? jsonPrinter() : textPrinter(how, step === undefined)
    const log = new JobLog(step, print, lines === undefined ? undefined : Number(lines))
    if (follow) return followJob(spool, task.name, log)
    const found = look(spool, task.name)
    if (!found?.view.job) throw temporary(`print the log of ${quote(task.name)}`, whyNoLog(spool, task.name))
    await log.read(found)
    log.mustHaveStep(found.view)
    return 0
  },
)

async function followJob(spool: Spool, name: TaskId, log: JobLog): Promise<number> {
  const tell = process.stderr.isTTY ? waitTeller(spool) : () => undefined
  for (;;) {
    const found = look(spool, name)
    if (!found) throw lasting(`follow ${quote(name)}`, 'it was pruned')
    if (found.view.state === 'waiting') tell(name)
    else await log.read(found)
    if (isSettled(spool, found)) {
      log.mustHaveStep(found.view)
      const retry = lastRetry(spool, name, 'lost')
      if (!retry || retry.view.name === name) return EXIT_OF[found.view.job!.verdict!]
      name = retry.view.name
      log.restart()
    } else {
      await sleep(EACH)
    }
  }
}

/** Says on standard error why a task waits, when that changes. */
function waitTeller(spool: Spool): (name: TaskId) => void {
  let [told, next] = ['', 0]
  return name => {
    if (Date.now() < next) return
    next = Date.now() + TELL_EACH
    const why = whyNoLog(spool, name)
    if (why !== told) process.stderr.write(`${harmless(name)}: ${why}\n`)
    told = why
  }
}

function whyNoLog(spool: Spool, name: TaskId): string {
  const wait = readBoard(spool, duration('LOST_AFTER')).tasks.find(task => task.name === name)?.wait
  return wait ? `it waits: ${harmless(tellWait(wait))}` : 'it has not started'
}

/** Prints the steps of a job as far as they are written; each read prints what is new. */
class JobLog {
  readonly #wanted: string | undefined
  readonly #print: Printer
  #open: { name: string; log: MergedLog } | undefined
  readonly #done = new Set<string>()
  /** How many lines of one step are printed before what is new; undefined: all of all steps. */
  #last: number | undefined

  constructor(wanted: string | undefined, print: Printer, last?: number) {
    this.#wanted = wanted
    this.#print = print
    this.#last = last
  }

  /** The view was taken before the logs are read: what it says is over, is written. */
  async read({ where, view }: Found): Promise<void> {
    const job = view.job
    if (!job || where.jobAt === undefined || this.#done.has('')) return
    if (this.#last !== undefined)
      this.#skipTo(stepOfInterest(job.steps.filter(step => this.#wants(step, job.steps))), job.steps)
    for (const step of job.steps) {
      if (this.#done.has(step.name) || !this.#wants(step, job.steps)) continue
      if (this.#open?.name !== step.name) {
        this.#open = { name: step.name, log: new MergedLog(join(where.jobAt, 'steps', step.name)) }
        this.#print.stepBegins(step)
      }
      const over = step.state !== 'running'
      const begin = job.claimed ?? job.started ?? 0
      for (const line of this.#linesOf(this.#open.log, over)) {
        this.#print.line(step, line, begin)
        if (this.#print.isFull()) await this.#print.flush()
      }
      if (!over) break
      this.#print.stepEnded(step)
      this.#done.add(step.name)
    }
    if (job.verdict) {
      this.#print.jobEnded(view)
      this.#done.add('')
    }
    await this.#print.flush()
  }

  /** Leaves out the steps before this one. */
  #skipTo(step: StepView | undefined, steps: readonly StepView[]): void {
    if (!step) return
    for (const before of steps.slice(0, steps.indexOf(step))) this.#done.add(before.name)
  }

  /** The new lines of a log; the first time no more than were asked for. */
  *#linesOf(log: MergedLog, over: boolean): Generator<LogLine> {
    const last = this.#last
    this.#last = undefined
    if (last === undefined) {
      yield* log.read(over)
      return
    }
    const kept: LogLine[] = []
    for (const line of log.read(over)) {
      kept.push(line)
      // Twice as many are held, so that each line is moved once at the most.
      if (kept.length >= 2 * last) kept.splice(0, kept.length - last)
    }
    yield* kept.slice(-last)
  }

  /** The work goes on as another job. */
  restart(): void {
    this.#open = undefined
    this.#done.clear()
  }

  /** Throws if the requested step does not exist once the job has finished, or at a single look. */
  mustHaveStep({ name, job }: TaskView): void {
    const steps = job?.steps ?? []
    if (this.#wanted === undefined || steps.some(step => this.#wants(step, steps))) return
    const names = steps.map(step => quote(step.name)).join(', ')
    const there = names === '' ? 'it has started no step' : `it has started ${names}`
    throw lasting(`find the step ${quote(this.#wanted)} of ${quote(name)}`, there)
  }

  #wants(step: StepView, all: readonly StepView[]): boolean {
    if (this.#wanted === undefined || step.name === this.#wanted) return true
    return !all.some(other => other.name === this.#wanted) && step.name.includes(this.#wanted)
  }
}

/** The step that ended the job, else the one that runs, else the last. */
function stepOfInterest(steps: readonly StepView[]): StepView | undefined {
  const isBad = ({ state }: StepView) => state !== 'success' && state !== 'skipped' && state !== 'running'
  return steps.find(isBad) ?? steps.findLast(({ state }) => state === 'running') ?? steps.at(-1)
}
