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
import { slaveSettings } from '../../fixtures/slave-settings.ts'
import { keepsPromises } from '../../fixtures/sources.ts'

keepsPromises('a spool', async t => {
  const site = new Site(t)
  const before = process.cwd()
  t.teardown(() => process.chdir(before))
  const directory = site.path('slot')
  mkdirSync(directory)
  process.chdir(directory)
  const settings = slaveSettings(site)
  return {
    open: stop => {
      const health = new Health({ slot: directory }, settings, () => undefined)
      return SpoolSource.open(new Slot(site.spool, settings), '1', health, { how: 'auto', poll: 200 }, stop)
    },
    publish: () => Promise.resolve(site.publish({ step: 'true' })),
    cancel: name => {
      writeFileSync(join(site.spool.tasks.cur, name, 'cancel'), '')
      return Promise.resolve()
    },
    lose: name => {
      endGone(site.spool, name as TaskId, 'It was lost.', settings)
      return Promise.resolve()
    },
    verdict: name => Promise.resolve(verdictOf(findJob(site.spool, name as TaskId) ?? '')),
  }
})
