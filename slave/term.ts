// TERM, and INT from a terminal: the first asks the program to stop, the second is final.

import { TIMER_MAX_MS } from '../lib/base/timer.ts'

export interface Term {
  /** Aborted by the first signal: take nothing more. */
  readonly stop: AbortSignal
  /** Aborted `drainAfter` later: the job in hand is given back. */
  readonly drain: AbortSignal
}

/** Listens from now on. A job may go on for `drainAfter` milliseconds. `onFinal` does what cannot wait for the next start. */
export function onTerm(drainAfter: number, onFinal: () => Promise<void>): Term {
  const [stop, drain] = [new AbortController(), new AbortController()]
  const heard = () => {
    if (stop.signal.aborted) {
      // Not process.exit(): with a hung file server it would wait for calls that never return.
      const end = () => process.kill(process.pid, 'SIGKILL')
      onFinal().then(end, end)
      return
    }
    stop.abort()
    setTimeout(() => drain.abort('drain'), Math.min(drainAfter, TIMER_MAX_MS)).unref()
  }
  process.on('SIGTERM', heard)
  process.on('SIGINT', heard)
  return { stop: stop.signal, drain: drain.signal }
}
