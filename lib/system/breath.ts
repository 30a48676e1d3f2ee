// Long work by synchronous calls, which take a fraction of what asynchronous ones do, in a process that has to beat,
// listen and serve other jobs meanwhile.

import { setImmediate } from 'node:timers/promises'

/** No more than this many milliseconds without a pause. */
const BREATH = 20

/** Answers what to await between two calls: it lets others go on when that is due, and throws once `signal` aborts. */
export function breather(signal?: AbortSignal): () => Promise<void> {
  let last = performance.now()
  return async () => {
    signal?.throwIfAborted()
    if (performance.now() - last < BREATH) return
    await setImmediate()
    last = performance.now()
  }
}
