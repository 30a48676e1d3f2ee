// job-starter: claims and runs one task, in this process.

import { basename, join } from 'node:path'

import { command, runMain } from '../lib/system/command.ts'
import { lasting, quote, temporary } from '../lib/base/exit.ts'
import { openSpool } from '../lib/spool/spool.ts'
import { parseTaskName } from '../lib/spool/task-name.ts'
import { Health } from './sources/health.ts'
import { readLimits } from './run/limits.ts'
import { Pools } from './run/places/pools.ts'
import { runJob } from './run-job.ts'
import { checkLimits } from './run/run-steps.ts'
import { RUN_SETTINGS, SPOOL_SETTINGS } from './settings-help.ts'
import { isFor } from './sources/scan.ts'
import { claimTask } from './sources/claimed-task.ts'
import { readSlaveSettings } from './sources/settings.ts'
import { Slot } from './sources/slot.ts'
import { onTerm } from './term.ts'

export const jobStarter = command(
  {
    name: 'job-starter',
    usage: 'TASK',
    operands: [1, 1],
    about: `Claims the task named TASK and runs its steps into a job, in the current directory as its slot.

Exits 0 when the job is over, whatever its verdict, and at once if the task is for another
architecture or host, or taken. TERM ends the job as task-taker does.`,
    environment: { ...SPOOL_SETTINGS, ...RUN_SETTINGS },
  },
  async ([argument]) => {
    const name = basename(argument!)
    const task = parseTaskName(name)
    if (!task) throw lasting(`run ${quote(name)}`, 'not a name of a task')
    const spool = openSpool()
    const settings = readSlaveSettings()
    const slot = new Slot(spool, settings)
    if (!isFor(task, settings.arch, settings.host)) return
    const pools = new Pools()
    const health = new Health({ jobs: spool.jobs.tmp, slot: slot.directory }, settings, () => undefined)
    const fault = (await health.fault()) ?? health.lacksFor(join(spool.tasks.cur, name))
    if (fault !== undefined) throw temporary(`run ${quote(name)}`, fault)
    await checkLimits(readLimits(), pools)
    const { drain } = onTerm(settings.drain, () => slot.work.killRemains())
    const assignment = claimTask(slot, task)
    const machine = { pools, health, host: settings.host, env: process.env }
    if (assignment) await runJob(assignment, machine, drain)
  },
)

if (require.main === module) runMain(jobStarter)
