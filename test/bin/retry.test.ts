import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { verb } from '../../bin/retry.ts'
import { call } from '../fixtures/in-process.ts'
import { Sandbox } from '../fixtures/sandbox.ts'
import { SpoolMaker } from '../fixtures/spool-maker.ts'

function make(t: ConstructorParameters<typeof Sandbox>[0]) {
  const sandbox = new Sandbox(t)
  const spool = sandbox.makeSpool()
  return {
    sandbox,
    spool,
    maker: new SpoolMaker(spool),
    retry: (...argv: string[]) => call(verb, argv, sandbox.env),
  }
}

test('a task that is over runs once more under a new number, and what it was is written down', async t => {
  const { sandbox, spool, maker, retry } = make(t)
  sandbox.ok('mv', [join(spool.ctr, '0'), join(spool.ctr, '7')])
  const job = maker.finishedJob('7:p:v:a', { verdict: 'failure' })
  t.same(await retry('7'), { code: 0, stdout: '8:p:v:a\n', stderr: '' })
  const task = join(spool.tasks.cur, '8:p:v:a')
  t.equal(readFileSync(join(task, 'retry-of.txt'), 'utf8'), '7:p:v:a user 0\n')
  t.equal(readFileSync(join(job, 'retried-as.txt'), 'utf8'), '8:p:v:a\n')
  t.same(sandbox.ls('spool/tasks/cur/8:p:v:a').includes('claim'), false)
})

test('a task that was retried already is retried by its last retry', async t => {
  const { spool, maker, retry, sandbox } = make(t)
  sandbox.ok('mv', [join(spool.ctr, '0'), join(spool.ctr, '9')])
  maker.finishedJob('7:p:v:a', { verdict: 'lost', retriedAs: '8:p:v:a' })
  maker.finishedJob('8:p:v:a', { verdict: 'failure', retriedAs: '9:p:v:a', place: 'cur' })
  maker.finishedJob('9:p:v:a', { verdict: 'failure' })
  t.same(JSON.parse((await retry('--json', '7')).stdout), { name: '10:p:v:a', asked: '7:p:v:a' })
  t.match(await retry('7'), {
    code: 100,
    stderr: "unable to retry '7:p:v:a': it was retried as 10:p:v:a, which still waits",
  })
})

test('what runs, or was pruned, is not retried', async t => {
  const { spool, maker, retry } = make(t)
  maker.runningJob('7:p:v:a')
  t.match(await retry('7'), { code: 100, stderr: /it is running; 'bass cancel 7' would end it/ })
  maker.finishedJob('8:p:v:a')
  rmSync(join(spool.tasks.old, '8:p:v:a'), { recursive: true })
  t.match(await retry('8'), { code: 100, stderr: /its task is gone/ })
  maker.finishedJob('9:p:v:a', { retriedAs: '10:p:v:a' })
  t.match(await retry('9'), { code: 100, stderr: /has been pruned/ })
})
