// reaper: whatever died half-way is brought to its end. See the tables in lib/INTERNALS.md: every row that names the
// reaper as its mender is a function here or in lib.

import { setTimeout as sleep } from 'node:timers/promises'

import { command, runMain } from '../lib/system/command.ts'
import { Trouble } from '../lib/system/log.ts'
import { openSpool } from '../lib/spool/spool.ts'
import { isToEnd, onHup } from '../lib/system/renewal.ts'
import { Rounds } from './reap/rounds.ts'
import { readReaperSettings } from './reap/settings.ts'

export const reaper = command(
  {
    name: 'reaper',
    usage: '[--once]',
    operands: [0, 0],
    about: `Ends lost jobs, publishes their tasks again, ends cancelled tasks, archives what is over, sweeps
what is rubbish.

One reaper for each spool is enough, on any host; several do no harm. It looks each POLL_INTERVAL. A
job is lost when its slave gave no sign of life for LOST_AFTER; a name that is not understood is
reported once and never touched.`,
    options: { once: { type: 'boolean', about: 'look once, do what can be done at once, and exit' } },
    environment: {
      'SPOOL, TASKS, JOBS': 'where the spool is',
      POLL_INTERVAL: 'how often to look',
      LOST_AFTER: 'how long a slave may show no sign of life',
      LOST_TRIES: 'how often in a row the same work may be lost before it is left to a person',
      SETTLE: 'how long a job that is over stays in jobs/cur',
      RETENTION: 'how long tasks and jobs that are over are kept; without it, until bass prune',
      SWEEP_AFTER: 'how long something half-made must not have changed to be swept',
    },
  },
  async (_, { once }) => {
    const settings = readReaperSettings()
    const rounds = new Rounds(openSpool(), settings)
    if (once) {
      rounds.look()
      return
    }
    const stop = new AbortController()
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort())
    onHup().addEventListener('abort', () => stop.abort())
    const trouble = new Trouble()
    while (!stop.signal.aborted && !isToEnd()) {
      try {
        rounds.look()
        trouble.over(`looking through '${rounds.spool.root}' again`)
      } catch (error) {
        // The spool is unreachable, full or broken: report it and try again, since no other program would.
        trouble.warn('look through', rounds.spool.root, error)
      }
      await sleep(settings.poll, undefined, { signal: stop.signal }).catch(() => undefined)
    }
  },
)

if (require.main === module) runMain(reaper)
