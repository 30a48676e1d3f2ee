// bass log: what a job wrote, and what it goes on to write.

import { setTimeout as sleep } from 'node:timers/promises'

import { command } from '../lib/system/command.ts'
import { lasting, quote, temporary } from '../lib/base/exit.ts'
import { MergedLog } from '../lib/view/job-log.ts'
import type { LogLine } from '../lib/view/job-log.ts'
import { jsonPrinter, textPrinter, TIME_FORMATS } from './parts/log-printer.ts'
import type { Printer } from './parts/log-printer.ts'
import { harmless } from '../lib/base/text.ts'
import { EXIT_OF, VERDICT_EXITS } from './parts/verdict-style.ts'
import { beginOf } from '../lib/view/view.ts'
import type { StepView, TaskView } from '../lib/view/view.ts'
import { lastRetryOf } from '../lib/view/views.ts'
import type { TaskId } from '../lib/spool/task-name.ts'
import type { Views } from '../lib/view/views.ts'
import { tellWait } from '../lib/view/why-waiting.ts'
import { openViews, VIEWS_ENVIRONMENT } from './views/open.ts'

/** How often the reason for waiting is refreshed, in milliseconds. */
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
With -f it waits for the job to start, and says on standard error why it has not; it follows the
job, goes on with the retry if it was lost, and exits as the job did. --json prints a line { step,
stream, time, text } for each; time in milliseconds since 1970.`,
    options: {
      follow: { type: 'boolean', about: 'go on until there is a verdict', alias: 'f' },
      lines: { type: 'string', about: 'only the last N lines of a step', alias: 'n', value: 'N' },
      time: { type: 'string', about: `how to tell the time: ${TIME_FORMATS.join(', ')}`, value: 'HOW' },
      json: { type: 'boolean', about: 'print lines for programs' },
    },
    environment: {
      ...VIEWS_ENVIRONMENT,
      NO_COLOR: 'print no colours',
      TZ: 'the time zone of --time local',
    },
    exits: VERDICT_EXITS,
  },
  async ([text, step], { follow, lines, time, json }) => {
    if (lines !== undefined && !/^[1-9]\d{0,5}$/.test(lines))
      throw lasting('understand --lines', `${quote(lines)} is not a number from 1 to 999999`)
    const how = TIME_FORMATS.find(word => word === (time ?? 'relative'))
    if (!how) throw lasting('understand --time', `${quote(time!)} is not one of ${TIME_FORMATS.join(', ')}`)
    const views = await openViews()
    const name = await views.one(text!)
    const print = json ? jsonPrinter() : textPrinter(how, step === undefined)
    const log = new JobLog(views, step, print, lines === undefined ? undefined : Number(lines))
    if (follow) return followJob(views, name, log)
    const view = (await views.look(name))?.view
    if (!view?.job) throw temporary(`print the log of ${quote(name)}`, await whyNoLog(views, name))
    await log.read(view)
    log.mustHaveStep(view)
    return 0
  },
)

async function followJob(views: Views, name: TaskId, log: JobLog): Promise<number> {
  const tell = waitTeller(views)
  for (;;) {
    const seen = await views.look(name)
    if (!seen) throw lasting(`follow ${quote(name)}`, 'it was pruned')
    if (seen.view.state === 'waiting') await tell(name)
    else await log.read(seen.view)
    if (seen.settled) {
      log.mustHaveStep(seen.view)
      const retry = await lastRetryOf(views, name, 'lost')
      if (!retry || retry.view.name === name) return EXIT_OF[seen.view.job!.verdict!]
      name = retry.view.name
      log.restart()
    } else {
      await sleep(views.pace)
    }
  }
}

/** Says on standard error why a task waits, when that changes: to a person at once, to a file only of what lasts. */
function waitTeller(views: Views): (name: TaskId) => Promise<void> {
  let [told, next] = ['', process.stderr.isTTY ? 0 : Date.now() + TELL_EACH]
  return async name => {
    if (Date.now() < next) return
    next = Date.now() + TELL_EACH
    const why = await whyNoLog(views, name)
    if (why !== told) process.stderr.write(`${harmless(name)}: ${why}\n`)
    told = why
  }
}

async function whyNoLog(views: Views, name: TaskId): Promise<string> {
  const wait = (await views.show(name))?.wait
  return wait ? `it waits: ${harmless(tellWait(wait))}` : 'it has not started'
}

/** Prints the steps of a job as far as they are written; each read prints what is new. */
class JobLog {
  readonly #views: Views
  readonly #wanted: string | undefined
  readonly #print: Printer
  #open: { name: string; log: MergedLog } | undefined
  readonly #done = new Set<string>()
  /** How many lines of one step are printed before what is new; undefined: all of all steps. */
  #last: number | undefined

  constructor(views: Views, wanted: string | undefined, print: Printer, last?: number) {
    this.#views = views
    this.#wanted = wanted
    this.#print = print
    this.#last = last
  }

  /** The view was taken before the logs are read: what it says is over, is written. */
  async read(view: TaskView): Promise<void> {
    const { job } = view
    if (!job || this.#done.has('')) return
    if (this.#last !== undefined)
      this.#skipTo(stepOfInterest(job.steps.filter(step => this.#wants(step, job.steps))), job.steps)
    for (const step of job.steps) {
      if (this.#done.has(step.name) || !this.#wants(step, job.steps)) continue
      if (this.#open?.name !== step.name) {
        this.#open = { name: step.name, log: this.#logOf(view, step.name) }
        this.#print.stepBegins(step)
      }
      const over = step.state !== 'running'
      const begin = beginOf(job) ?? 0
      for await (const lines of this.#linesOf(this.#open.log, over)) {
        for (const line of lines) this.#print.line(step, line, begin)
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

  /** The job of a task may move: it is asked for the place of its log at each read. */
  #logOf(view: TaskView, step: string): MergedLog {
    return new MergedLog(() => this.#views.log(view, step))
  }

  /** Leaves out the steps before this one. */
  #skipTo(step: StepView | undefined, steps: readonly StepView[]): void {
    if (!step) return
    for (const before of steps.slice(0, steps.indexOf(step))) this.#done.add(before.name)
  }

  /** The new lines of a log; the first time no more than were asked for. */
  async *#linesOf(log: MergedLog, over: boolean): AsyncGenerator<readonly LogLine[]> {
    const last = this.#last
    this.#last = undefined
    if (last === undefined) {
      yield* log.read(over)
      return
    }
    const kept: LogLine[] = []
    for await (const lines of log.read(over)) {
      for (const line of lines) kept.push(line)
      // Twice as many are held, so that each line is moved once at the most.
      if (kept.length >= 2 * last) kept.splice(0, kept.length - last)
    }
    yield kept.slice(-last)
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
