// The end of what a job wrote: the last lines of the step that ended it, or that it is at.

import { lastLines, timeOfLine } from './job-log.ts'
import { decisiveStep } from './view.ts'
import type { TaskView } from './view.ts'
import { stepDirectory } from '../spool/job-files.ts'

export interface LastLine {
  readonly step: string
  readonly stream: string
  /** In milliseconds since 1970; null if its label does not say. */
  readonly time: number | null
  readonly text: string
}

/** The last `count` lines; none of a job that succeeded, or that `jobAt` does not say where it is. */
export async function lastLinesOf(
  { job }: TaskView,
  jobAt: string | undefined,
  count: number,
): Promise<LastLine[]> {
  if (!job || job.verdict === 'success' || jobAt === undefined) return []
  const step = decisiveStep(job)?.name
  if (step === undefined) return []
  return (await lastLines(stepDirectory(jobAt, step), count)).map(line => ({
    step,
    stream: line.stream,
    time: timeOfLine(line),
    text: line.text,
  }))
}
