/** Resolves when a signal, or an abort of `stop`, tells the program to end. A second signal ends it at once. */
export function stopSignal(stop?: AbortSignal): Promise<void> {
  return new Promise(done => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(signal, () => done())
    stop?.addEventListener('abort', () => done())
  })
}
