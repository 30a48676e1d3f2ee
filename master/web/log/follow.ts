// A log while it grows, a window at a time, until its step is over.

import type { TaskView } from '../../../lib/view/view.ts'
import { openLog } from '../site/job-files.ts'
import type { JobFiles } from '../site/job-files.ts'
import type { Position } from './line.ts'
import { WindowedLog } from './log-window.ts'
import type { LogWindow } from './log-window.ts'

/** Lines of a window. */
const FOLLOW_WINDOW_LINES = 1000
/** The end of a step may be written elsewhere than its log, so one looks this often at least, in milliseconds. */
const END_LOOK_MS = 1000

/**
 * Windows of the log of a step from a place on, with the number of their first line where it is known: what is there, then what comes, until the step is over or `signal` says
 * so. `look` reads the task anew: its job moves when it is over.
 */
export async function* follow(
  files: JobFiles,
  step: string,
  from: Position,
  look: () => TaskView | undefined,
  signal: AbortSignal,
): AsyncGenerator<{ readonly window: LogWindow; readonly number: number | undefined }> {
  const first = look()
  if (!first) return
  const bell = await files.watch(first, step)
  const timer = setInterval(() => bell.ring(), END_LOOK_MS)
  const ring = () => bell.ring()
  const stopped = () => signal.aborted
  signal.addEventListener('abort', ring)
  try {
    let at = from
    let number: number | undefined
    while (!stopped()) {
      // Asked before the log is read: what was over then, will not grow.
      const now = look()
      if (!now) return
      const running = now.job?.steps.find(({ name }) => name === step)?.state === 'running'
      const log = await WindowedLog.open(await openLog(files, now, step), running)
      try {
        for (;;) {
          const window = await log.forward(at, FOLLOW_WINDOW_LINES)
          if (at === from) number = await log.numberAt(at)
          if (window.lines.length > 0) yield { window, number }
          if (number !== undefined) number += window.lines.length
          at = window.to
          if (window.last || window.lines.length === 0 || stopped()) break
        }
      } finally {
        await log.close()
      }
      if (!running) return
      await bell.next()
    }
  } finally {
    clearInterval(timer)
    signal.removeEventListener('abort', ring)
    await bell.close()
  }
}
