// Work that nobody waits for any more once it is to stop. Pure.

import { temporary } from './exit.ts'

/** Ends as `work` does, or fails with a temporary Fatal as soon as `stop` aborts. What becomes of the work then is not its business. */
export async function unlessStopped<T>(work: Promise<T>, stop: AbortSignal | undefined): Promise<T> {
  if (!stop) return work
  let onStop = () => {}
  const stopped = new Promise<never>((_, fail) => {
    onStop = () => fail(temporary('wait for what runs elsewhere', 'it was to stop'))
  })
  stop.addEventListener('abort', onStop)
  if (stop.aborted) onStop()
  return Promise.race([work, stopped]).finally(() => stop.removeEventListener('abort', onStop))
}
