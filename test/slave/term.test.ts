// How long a job may go on after a signal.

import { test } from 'tap'

import { onTerm } from '../../slave/term.ts'

test('a job may go on for as long as DRAIN says, also for longer than a timer can wait', async t => {
  const DAY = 24 * 3600_000
  const warned: Error[] = []
  const hear = (warning: Error) => void warned.push(warning)
  process.on('warning', hear)
  t.teardown(() => process.off('warning', hear))
  for (const [drainAfter, ends] of [
    [0, true],
    [30 * DAY, false],
    [Infinity, false],
  ] as const) {
    const { stop, drain } = onTerm(drainAfter, () => Promise.resolve())
    process.emit('SIGTERM')
    t.ok(stop.aborted)
    // A timer that begins later, and waits no shorter, ends later.
    await new Promise(done => setTimeout(done, 10))
    t.equal(drain.aborted, ends, String(drainAfter))
    process.removeAllListeners('SIGTERM')
    process.removeAllListeners('SIGINT')
  }
  t.same(warned, [])
})
