import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { verdictOf } from '../../../lib/spool/job.ts'
import { endGone } from '../../../lib/spool/lose.ts'
import { findJob } from '../../../lib/spool/spool.ts'
import type { TaskId } from '../../../lib/spool/task-name.ts'
import { Health } from '../../../slave/sources/health.ts'
import { Slot } from '../../../slave/sources/slot.ts'
import { SpoolSource } from '../../../slave/sources/spool.ts'
import { Site } from '../../fixtures/site.ts'
import { keepsPromises } from '../../fixtures/sources.ts'

keepsPromises('a spool', async t => {
  const site = new Site(t)
  const before = { cwd: process.cwd(), env: process.env }
  t.teardown(() => {
    process.chdir(before.cwd)
    process.env = before.env
  })
  process.env = {
    ...site.env,
    TASKS: join(site.spool.root, 'tasks'),
    JOBS: join(site.spool.root, 'jobs'),
    WATCH: 'auto',
    LOST_AFTER: '2',
    LOST_TRIES: '3',
    DISK_MIN: '0',
    BUNDLE_MAX: '1G',
    FAILED_JOB_WAITTIME: '0',
  }
  const directory = site.path('slot')
  mkdirSync(directory)
  process.chdir(directory)
  return {
    open: stop =>
      SpoolSource.open(new Slot(site.spool), '1', new Health({ slot: directory }, () => undefined), stop),
    publish: () => Promise.resolve(site.publish({ step: 'true' })),
    cancel: name => {
      writeFileSync(join(site.spool.tasks.cur, name, 'cancel'), '')
      return Promise.resolve()
    },
    lose: name => {
      endGone(site.spool, name as TaskId, 'It was lost.')
      return Promise.resolve()
    },
    verdict: name => Promise.resolve(verdictOf(findJob(site.spool, name as TaskId) ?? '')),
  }
})
