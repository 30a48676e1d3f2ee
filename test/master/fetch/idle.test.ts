// A fetcher that has nothing to do.

import { statSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'tap'

import { eventually } from '../../fixtures/sandbox.ts'
import { started } from '../../fixtures/forge-site.ts'

test('a fetcher that has nothing to do changes nothing of the spool, which would wake it and all takers, and ends at TERM', async t => {
  const { site } = await started(t)
  const fetcher = site.start('master/bin/fetcher', [])
  const head = site.commit()
  site.push('main')
  await site.pushed('refs/heads/main', null, head)
  await eventually('the delivery is worked off', () => fetcher.stderr().includes(`is at ${head}`), 60)
  const changed = () => statSync(site.spool.tasks.cur).ctimeMs
  const before = changed()
  await sleep(500)
  t.equal(changed(), before)
  t.match(await fetcher.kill('SIGTERM'), { code: 0 })
})
