// worker: asks a farmer for jobs and runs them, one at a time.

import { setTimeout as sleep } from 'node:timers/promises'

import { lasting } from '../lib/base/exit.ts'
import { choice, setting, words } from '../lib/base/settings.ts'
import { command, runMain } from '../lib/system/command.ts'
import { version } from '../lib/system/version.ts'
import { warnOnce } from '../lib/system/log.ts'
import { secret } from '../lib/system/secret.ts'
import { readLimits } from './run/limits.ts'
import { Pools } from './run/places/pools.ts'
import { killRemains } from './run/places/processes.ts'
import { checkLimits } from './run/run-steps.ts'
import { runJob } from './run-job.ts'
import { RUN_SETTINGS } from './settings-help.ts'
import { FarmSource } from './sources/farm.ts'
import { Health } from './sources/health.ts'
import { FarmerClient } from './sources/farmer-client.ts'
import { readSlaveSettings } from './sources/settings.ts'
import { Watchdog } from './sources/watchdog.ts'
import { onTerm } from './term.ts'

export const worker = command(
  {
    name: 'worker',
    usage: '',
    operands: [0, 0],
    about: `Asks a farmer for jobs and runs them, one at a time, in the current directory, which is to be its own: the
clones of projects are kept there.

Run one for each job that is to run at a time, under a supervisor: one that is stopped, or hangs, for five
seconds is killed with its steps, because its job is given to another then. Git fetches as this user may:
give it a key or a credential helper for what is private. TERM: takes nothing more; the job in hand may go
on for DRAIN, then it is given back. A second TERM is final.`,
    environment: {
      FARMER_URL: 'where the farmer is, as https://ci.example.org',
      WORKER_SECRET_FILE: 'the file with the secret of workers',
      LABELS: 'what jobs may ask for besides the architecture and this host',
      CLEAN: "all: before a job, remove also what a .gitignore spares; 'ignored': leave that",
      ...RUN_SETTINGS,
    },
  },
  async () => {
    const settings = readSlaveSettings()
    const client = new FarmerClient(farmerUrl(), secret('WORKER_SECRET', process.env))
    const pools = new Pools()
    await checkLimits(readLimits(), pools)
    let inHand: string | undefined
    const { stop, drain } = onTerm(settings.drain, async () => {
      if (inHand !== undefined) await killRemains(inHand)
    })
    const health = new Health({ slot: process.cwd() }, settings, () => undefined)
    // A copy: each look into `process.env` itself asks the system.
    const machine = { pools, health, host: settings.host, env: { ...process.env } }
    const farming = {
      ...settings,
      directory: process.cwd(),
      version: version(),
      labels: words('LABELS'),
      clean: choice('CLEAN', ['ignored', 'all']) === 'all',
    }
    const source = new FarmSource(client, farming, health, stop, new Watchdog())
    try {
      await source.endDead()
      for (let next = await source.next(); next; next = await source.next()) {
        inHand = next.work
        try {
          await runJob(next, machine, drain)
        } catch (error) {
          warnOnce('run', next.task.name, error)
          await sleep(settings.poll)
        }
        inHand = undefined
      }
    } finally {
      await source.close()
    }
  },
)

function farmerUrl(): string {
  const url = setting('FARMER_URL')
  if (!/^https?:\/\//.test(url) || !URL.canParse(url))
    throw lasting('read the setting FARMER_URL', `'${url}' is no address such as https://ci.example.org`)
  return url
}

if (require.main === module) runMain(worker)
