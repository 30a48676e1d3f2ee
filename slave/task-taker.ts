// task-taker: claims tasks for this architecture and host and runs them, one at a time.

import { setTimeout as sleep } from 'node:timers/promises'

import { load as loadZstd } from '../lib/bundle/zstd.ts'
import { openSpool } from '../lib/spool/spool.ts'
import { compileAside } from '../lib/system/aside.ts'
import { command, runMain } from '../lib/system/command.ts'
import { version } from '../lib/system/version.ts'
import { warnOnce } from '../lib/system/log.ts'
import { readWatchSettings } from '../lib/system/watch.ts'
import { Health } from './sources/health.ts'
import { readLimits } from './run/limits.ts'
import { Pools } from './run/places/pools.ts'
import { checkLimits } from './run/run-steps.ts'
import { runJob } from './run-job.ts'
import { RUN_SETTINGS, SPOOL_SETTINGS } from './settings-help.ts'
import { readSlaveSettings } from './sources/settings.ts'
import { Slot } from './sources/slot.ts'
import { SpoolSource } from './sources/spool.ts'
import { onTerm } from './term.ts'

export const taskTaker = command(
  {
    name: 'task-taker',
    usage: '',
    operands: [0, 0],
    about: `Claims tasks for this architecture and host and runs them, one at a time, in the current directory
as its slot.

Run one for each slot, each in a directory of its own that it finds again when it is restarted: what
died there is ended at once, its task published again. TERM: takes nothing more; the job in hand may
go on for DRAIN, then its task is published again for others. A second TERM is final. When 'bass
deploy' replaces its tree, it ends between two jobs, with 0, to be started from the new one.

Limits that a project sets in its conf/PROJECT/rc come with the task, and stand before those here.`,
    environment: {
      ...SPOOL_SETTINGS,
      ...RUN_SETTINGS,
      POLL_INTERVAL: 'how often to look',
      WATCH: 'auto, events or poll',
    },
  },
  async () => {
    compileAside()
    const spool = openSpool()
    const settings = readSlaveSettings()
    const slot = new Slot(spool, settings)
    const pools = new Pools()
    const health = new Health({ jobs: spool.jobs.tmp, slot: slot.directory }, settings, fault =>
      slot.tell(fault),
    )
    // A copy: each look into `process.env` itself asks the system.
    const machine = { pools, health, host: settings.host, env: { ...process.env } }
    const limits = readLimits()
    const { stop, drain } = onTerm(settings.drain, () => slot.work.killRemains())
    const source = await SpoolSource.open(slot, version(), health, readWatchSettings(), stop)
    try {
      await checkLimits(limits, pools)
      await source.endDead()
      // The first bundle needs it and it is slow to load. An error is reported when the bundle is read.
      loadZstd().catch(() => undefined)
      for (let next = await source.next(); next; next = await source.next()) {
        try {
          await runJob(next, machine, drain)
        } catch (error) {
          warnOnce('take', next.task.name, error)
          await sleep(settings.poll)
        }
      }
    } finally {
      await source.close()
    }
  },
)

if (require.main === module) runMain(taskTaker)
