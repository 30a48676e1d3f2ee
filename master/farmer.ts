// farmer: takes webhooks, makes jobs of them, gives them to workers, and shows them.

import { resolve } from 'node:path'

import { lasting } from '../lib/base/exit.ts'
import { optional, listenAt, setting } from '../lib/base/settings.ts'
import { command, runMain } from '../lib/system/command.ts'
import { makeDirectories } from '../lib/system/directories.ts'
import { say } from '../lib/system/log.ts'
import { stopSignal } from '../lib/system/stop-signal.ts'
import { connect, migrate } from './farm/database.ts'
import type { Database } from './farm/database.ts'
import { ownPostgres } from './farm/own-postgres.ts'
import { Projects } from './farm/projects.ts'
import { longSecret } from './farm/secret.ts'
import { openFarm } from './farm/farm.ts'

export const farmer = command(
  {
    name: 'farmer',
    usage: '',
    operands: [0, 0],
    about: `Takes webhooks of forges, makes a job of each line of the Testfiles that a change concerns (and of its
.bass/), gives jobs to workers over HTTP, tells the forge how they end, and serves the pages.

Several may serve one database. It keeps everything in PostgreSQL and S3; with neither set, in a
PostgreSQL of its own and in files below FARMER_DATA.`,
    environment: {
      DATABASE_URL: 'the PostgreSQL, as postgres://USER@HOST/NAME; unset: one of its own',
      'S3_BUCKET, S3_ENDPOINT': 'where logs and artifacts go; unset: files below FARMER_DATA',
      'AWS_*': 'the key to that bucket: ACCESS_KEY_ID, SECRET_ACCESS_KEY, REGION',
      FARMER_DATA: "the farmer's own directory: mirrors, and what has no other place",
      FARMER_CONF: 'the directory of PROJECT/rc files',
      FARMER_URL: 'how workers, people and forges reach it, as https://ci.example.org',
      FARMER_LISTEN: 'where to listen: [ADDRESS:]PORT; loopback alone without a secret',
      WORKER_SECRET_FILE: 'the file with the secret of workers, at least 16 characters',
      REPORTER_TOKEN: 'who knows it may cancel and retry on the pages',
      RETENTION: 'how long results, their files and deliveries are kept; without it, for ever',
    },
  },
  async () => {
    const { host, port } = listenAt('FARMER_LISTEN')
    const secret = longSecret('WORKER_SECRET')
    if (secret === undefined && !isLoopback(host)) {
      throw lasting(
        `listen on '${setting('FARMER_LISTEN')}'`,
        'without WORKER_SECRET_FILE anybody could be a worker',
      )
    }
    const data = resolve(setting('FARMER_DATA'))
    makeDirectories(data, 0o711)
    const url = optional('DATABASE_URL')
    const own = url === undefined ? await ownPostgres(data) : undefined
    let db: Database | undefined
    try {
      db = connect(url ?? own!.url)
      await migrate(db)
      const projects = new Projects(resolve(setting('FARMER_CONF')))
      const farm = await openFarm({ db, projects, data, secret, host, port, url: optional('FARMER_URL') })
      // Whoever reads that it listens may tell it to stop.
      const stopped = stopSignal()
      say('info', `listening on ${farm.address}`)
      if (optional('FARMER_URL') === undefined && ['', '0.0.0.0', '::'].includes(host)) say('warning', LOCAL)
      try {
        // Its own database is started anew with it, by whoever keeps it running.
        await Promise.race([stopped, ...(own ? [own.lost] : [])])
      } finally {
        await farm.close()
      }
    } finally {
      await db?.end({ timeout: 5 })
      await own?.stop()
    }
  },
)

/** What is amiss where others are to reach the farmer, and are not told by which name. */
const LOCAL =
  'FARMER_URL is not set: links of checks lead nowhere, and workers on other machines cannot store the output of jobs'

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host)

if (require.main === module) runMain(farmer)
