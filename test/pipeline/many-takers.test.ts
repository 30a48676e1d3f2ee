import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { verdictOf } from '../../lib/spool/job.ts'
import { eventually } from '../fixtures/sandbox.ts'
import { Site } from '../fixtures/site.ts'

const [TASKS, TAKERS] = [2000, 16]

test(`${TAKERS} takers run ${TASKS} tasks, each exactly once`, { timeout: 900_000 }, async t => {
  const site = new Site(t)
  const first = site.publish({ a: `echo "$BASS_TASK" >>'${site.path('ran')}'` })
  const names = [first, ...site.publishCopies(first, TASKS - 1)]
  for (let slot = 1; slot <= TAKERS; slot++) site.taker(`slot-${slot}`)
  await eventually('all to be over', () => site.ls('spool/tasks/old').length === TASKS, 600)
  const ran = readFileSync(site.path('ran'), 'utf8').trimEnd().split('\n')
  t.same(ran.sort(), [...names].sort())
  t.ok(names.every(name => verdictOf(join(site.spool.jobs.cur, name)) === 'success'))
  t.same(site.ls('spool/jobs/tmp'), [])
})
