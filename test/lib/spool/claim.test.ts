import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { claim, claimOf, parsePrivateName, showJob } from '../../../lib/spool/claim.ts'
import { token } from '../../../lib/system/durable.ts'
import { makeJob, newOwner, readOwner, verdictOf } from '../../../lib/spool/job.ts'
import { Sandbox } from '../../fixtures/sandbox.ts'

const X = '1:hello:v1:testarch'
const owner = (slot = '/slot') => newOwner('testhost', slot, token())

function waiting(sandbox: Sandbox, name = X) {
  const spool = sandbox.makeSpool()
  mkdirSync(join(spool.tasks.cur, name))
  writeFileSync(join(spool.tasks.cur, name, 'code-version.txt'), 'v1\n')
  return spool
}

test('a claim is the owner file in the task, and the job is shown', async t => {
  const sandbox = new Sandbox(t)
  const spool = waiting(sandbox)
  const me = owner()
  t.equal(claim(spool, X, me), join(spool.jobs.cur, X))
  t.equal(claimOf(spool, X), me.token)
  t.same(readOwner(join(spool.jobs.cur, X)), me)
  t.same(sandbox.ls('spool/jobs/cur', X), ['alive', 'owner.txt'])
  t.same(sandbox.ls('spool/jobs/tmp'), [])
})

test('a task is claimed once and for ever, and the loser leaves nothing', async t => {
  const sandbox = new Sandbox(t)
  const spool = waiting(sandbox)
  claim(spool, X, owner())
  t.equal(claim(spool, X, owner()), undefined)
  t.same(sandbox.ls('spool/jobs/tmp'), [])
})

test('the claim of a task that has moved away fails', async t => {
  const sandbox = new Sandbox(t)
  const spool = waiting(sandbox)
  renameSync(join(spool.tasks.cur, X), join(spool.tasks.old, X))
  t.equal(claim(spool, X, owner()), undefined)
  t.same(sandbox.ls('spool/jobs/tmp'), [])
  t.same(sandbox.ls('spool/jobs/cur'), [])
})

test('a task that is claimed while it must not run is over as soon as it is seen', async t => {
  const spool = waiting(new Sandbox(t))
  const job = claim(spool, X, owner(), 'cancelled')
  t.equal(verdictOf(job!), 'cancelled')
})

test('anyone may show the job of a claim, and does it once', async t => {
  const sandbox = new Sandbox(t)
  const spool = waiting(sandbox)
  const me = owner()
  makeJob(join(spool.jobs.tmp, `${X}.${me.token}`), me)
  t.equal(showJob(spool, X, me.token), join(spool.jobs.cur, X))
  t.equal(showJob(spool, X, me.token), join(spool.jobs.cur, X), 'it is where it was moved')
  t.equal(showJob(spool, X, token()), undefined, 'the name belongs to another claim')
})

test('a private name is a task and a token', async t => {
  t.same(parsePrivateName(`${X}.0123456789abcdef`), { name: X, token: '0123456789abcdef' })
  for (const name of [X, `${X}.`, '.0123456789abcdef', `${X}.0123456789ABCDEF`, `${X}.0123456789abcdef.x`]) {
    t.equal(parsePrivateName(name), undefined, name)
  }
})
