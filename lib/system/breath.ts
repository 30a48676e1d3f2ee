// Long work by synchronous calls, which take a fraction of what asynchronous ones do, in a process that has to beat,
// listen and serve other jobs meanwhile.

import { setImmediate } from 'node:timers/promises'

/** No more than this many milliseconds without a pause. */
const BREATH = 20

/**
 * Returns a promise to await between two calls: it lets other work go on when that is due, and rejects once
 * `signal` aborts.
 */
export function breather(signal?: AbortSignal): () => Promise<void> {
  let last = performance.now()
  return async () => {
    signal?.throwIfAborted()
    if (performance.now() - last < BREATH) return
    await setImmediate()
    last = performance.now()
  }
}
