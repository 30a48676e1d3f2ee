import { utimesSync } from 'node:fs'
import { test } from 'tap'

import { historyOf } from '../../../bin/views/history.ts'
import { Sandbox } from '../../fixtures/sandbox.ts'
import { SpoolMaker } from '../../fixtures/spool-maker.ts'

test('a history that is read again has what went to old meanwhile', async t => {
  const spool = new Sandbox(t).makeSpool()
  const maker = new SpoolMaker(spool)
  const history = historyOf(spool)
  const names = () => [...history.views(() => true)].map(({ name }) => name)
  maker.finishedJob('1:p:v:a')
  // Whatever follows has another time, however fast it comes.
  utimesSync(spool.jobs.old, 1, 1)
  t.same(names(), ['1:p:v:a'])
  maker.finishedJob('2:p:v:a')
  t.same(names(), ['2:p:v:a', '1:p:v:a'])
})
