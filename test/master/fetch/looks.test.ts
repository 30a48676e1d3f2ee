// What a look at the forge finds, and finds once.

import { test } from 'tap'

import { started } from '../../fixtures/forge-site.ts'

test('a change that is closed, or was never heard of, is not found again by each look', async t => {
  const { site, first } = await started(t)
  const head = site.commit()
  site.push('HEAD:refs/pull/7/head')
  await site.pulled({ action: 'closed', head, base: first })
  const done = () => Object.keys(site.files('inbox/hello/done')).filter(path => path.endsWith('/plan')).length
  await site.fetch()
  const before = done()
  for (let i = 0; i < 2; i++) await site.fetch()
  t.equal(done(), before)
  site.commit()
  site.push('HEAD:refs/pull/7/head')
  for (let i = 0; i < 3; i++) await site.fetch()
  t.equal(done(), before + 1, 'it moved on while it was closed, once')
  site.git(site.remote, 'update-ref', '-d', 'refs/pull/7/head')
  for (let i = 0; i < 3; i++) await site.fetch()
  t.equal(done(), before + 2, 'its ref is gone, once')
})
