import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { archiveTask } from '../../../lib/spool/archive.ts'
import { claim } from '../../../lib/spool/claim.ts'
import { token } from '../../../lib/system/durable.ts'
import { giveVerdict, newOwner } from '../../../lib/spool/job.ts'
import { endGone } from '../../../lib/spool/lose.ts'
import { formatRetryOf, parseRetryOf, recordRetry, republish, retriedAs } from '../../../lib/spool/retry.ts'
import { Sandbox } from '../../fixtures/sandbox.ts'

const X = '1:hello:v1:testarch:testhost'
const AGAIN = '2:hello:v1:testarch:testhost'

const SETTINGS = { host: 'testhost', lostTries: 3 }

/** A spool with one task that is running. */
function running(sandbox: Sandbox) {
  const spool = sandbox.makeSpool()
  renameSync(join(spool.ctr, '0'), join(spool.ctr, '1'))
  const task = join(spool.tasks.cur, X)
  mkdirSync(task)
  for (const file of ['code.tar', 'code-version.txt']) writeFileSync(join(task, file), file)
  const job = claim(spool, X, newOwner('testhost', '/slot', token()))!
  return { spool, task, job }
}

test('what was lost is published again under a new number, and archived after that', async t => {
  const sandbox = new Sandbox(t)
  const { spool, job } = running(sandbox)
  endGone(spool, X, 'It was lost.', SETTINGS)
  t.same(sandbox.ls('spool/tasks/cur'), [AGAIN])
  t.same(sandbox.ls('spool/tasks/old'), [X])
  t.same(sandbox.ls('spool/tasks/tmp'), [])
  t.equal(retriedAs(job), AGAIN)
  t.equal(readFileSync(join(job, 'error.txt'), 'utf8'), 'It was lost.\n')
  t.same(
    sandbox.ls('spool/tasks/cur', AGAIN),
    ['code-version.txt', 'code.tar', 'retry-of.txt'],
    'neither claim nor cancel',
  )
  t.equal(readFileSync(join(spool.tasks.cur, AGAIN, 'retry-of.txt'), 'utf8'), `${X} lost 1\n`)
  const inode = (name: string) => statSync(join(spool.tasks.old, '..', name, 'code.tar')).ino
  t.equal(inode(`cur/${AGAIN}`), inode(`old/${X}`), 'a hard link, not a copy')
})

test('a verdict that stands is not lost, and nothing is published', async t => {
  const sandbox = new Sandbox(t)
  const { spool, job } = running(sandbox)
  giveVerdict(job, 'success')
  endGone(spool, X, 'It was lost.', SETTINGS)
  t.same(sandbox.ls('spool/tasks/cur'), [])
  t.same(sandbox.ls('spool/tasks/old'), [X])
  t.notOk(sandbox.ls('spool/jobs/cur', X).includes('error.txt'))
})

test('a dead job that somebody cancelled is cancelled, not lost', async t => {
  const sandbox = new Sandbox(t)
  const { spool, task, job } = running(sandbox)
  writeFileSync(join(task, 'cancel'), '')
  endGone(spool, X, 'It was lost.', SETTINGS)
  t.equal(readFileSync(join(job, 'result.txt'), 'utf8'), 'cancelled\n')
  t.same(sandbox.ls('spool/tasks/cur'), [])
})

test('a task that was lost LOST_TRIES times waits for a person', async t => {
  const sandbox = new Sandbox(t)
  const { spool, task } = running(sandbox)
  writeFileSync(
    join(task, 'retry-of.txt'),
    formatRetryOf({ parent: '0:hello:v1:testarch', cause: 'lost', tries: 3 }),
  )
  endGone(spool, X, 'It was lost.', SETTINGS)
  t.same(sandbox.ls('spool/tasks/cur'), [])
  t.same(sandbox.ls('spool/tasks/old'), [X])
})

test('the first clone that is written down is the one that is published', async t => {
  const sandbox = new Sandbox(t)
  const { spool, job } = running(sandbox)
  giveVerdict(job, 'lost')
  const other = join(spool.tasks.tmp, '9:hello:v1:testarch')
  mkdirSync(other)
  writeFileSync(join(other, 'retry-of.txt'), `${X} lost 1\n`)
  t.equal(recordRetry(spool, job, '9:hello:v1:testarch'), '9:hello:v1:testarch')
  t.equal(republish(spool, X, job, 'lost'), '9:hello:v1:testarch')
  t.same(sandbox.ls('spool/tasks/cur').sort(), [X, '9:hello:v1:testarch'])
  t.equal(republish(spool, X, job, 'lost'), '9:hello:v1:testarch', 'and only once')
})

test('a clone that came second is swept', async t => {
  const sandbox = new Sandbox(t)
  const { spool, job } = running(sandbox)
  giveVerdict(job, 'lost')
  republish(spool, X, job, 'lost')
  mkdirSync(join(spool.tasks.tmp, '9:hello:v1:testarch'))
  t.equal(recordRetry(spool, job, '9:hello:v1:testarch'), AGAIN)
  t.same(sandbox.ls('spool/tasks/tmp'), [])
})

test('a task that is over can be published again from where it was archived', async t => {
  const sandbox = new Sandbox(t)
  const { spool, job } = running(sandbox)
  giveVerdict(job, 'failure')
  archiveTask(spool, X)
  t.equal(republish(spool, X, job, 'user'), AGAIN)
  t.equal(readFileSync(join(spool.tasks.cur, AGAIN, 'retry-of.txt'), 'utf8'), `${X} user 0\n`)
})

test('only losses in a row count as tries', async t => {
  for (const [cause, after] of [
    ['lost', 3],
    ['drain', 2],
    ['user', 0],
  ] as const) {
    const sandbox = new Sandbox(t)
    const { spool, task, job } = running(sandbox)
    writeFileSync(join(task, 'retry-of.txt'), '0:hello:v1:testarch lost 2\n')
    republish(spool, X, job, cause)
    t.equal(readFileSync(join(spool.tasks.cur, AGAIN, 'retry-of.txt'), 'utf8'), `${X} ${cause} ${after}\n`)
  }
})

test('retry-of.txt reads back as it was written, and nothing else is taken for it', async t => {
  const retry = { parent: X, cause: 'drain', tries: 2 } as const
  t.same(parseRetryOf(formatRetryOf(retry)), retry)
  for (const text of ['', X, `${X} lost`, `${X} lost x`, `${X} gone 1`, `${X} lost 1 2`])
    t.equal(parseRetryOf(text), undefined, text)
})
