// A log while it grows, a window at a time, until its step is over.

import { join } from 'node:path'

import type { TaskView } from '../../../lib/view/view.ts'
import { watch } from '../../../lib/system/watch.ts'
import { WindowedLog } from './log-window.ts'
import type { LogWindow, Position } from './log-window.ts'

/** Lines of a window. */
const WINDOW = 1000
/** The end of a step may be written elsewhere than its log, so one looks this often at least, in milliseconds. */
const LOOK = 1000

/**
 * Windows of the log of a step from a place on: what is there, then what comes, until the step is over or `signal` says
 * so. `look` reads the task anew: its job moves when it is over.
 */
export async function* follow(
  step: string,
  from: Position,
  look: () => { readonly view: TaskView; readonly directory: string } | undefined,
  signal: AbortSignal,
): AsyncGenerator<LogWindow> {
  const first = look()
  if (!first) return
  const bell = await watch([join(first.directory, 'steps', step)])
  const timer = setInterval(() => bell.ring(), LOOK)
  const ring = () => bell.ring()
  const stopped = () => signal.aborted
  signal.addEventListener('abort', ring)
  try {
    let at = from
    while (!stopped()) {
      // Asked before the log is read: what was over then, will not grow.
      const now = look()
      if (!now) return
      const running = now.view.job?.steps.find(({ name }) => name === step)?.state === 'running'
      const log = await WindowedLog.open(join(now.directory, 'steps', step), running)
      try {
        for (;;) {
          const window = await log.forward(at, WINDOW)
          if (window.lines.length > 0) yield window
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
