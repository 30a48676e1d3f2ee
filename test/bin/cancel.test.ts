import { existsSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { verb } from '../../bin/cancel.ts'
import { call } from '../fixtures/in-process.ts'
import { Sandbox } from '../fixtures/sandbox.ts'
import { SpoolMaker } from '../fixtures/spool-maker.ts'

test('a task is asked to end, waiting or running, and asked again without harm', async t => {
  const sandbox = new Sandbox(t)
  const maker = new SpoolMaker(sandbox.makeSpool())
  maker.waitingTask('1:p:v:a')
  maker.runningJob('2:p:v:a')
  for (let again = 0; again < 2; again++) {
    const stdout = 'cancelling 1:p:v:a\ncancelling 2:p:v:a\n'
    t.same(await call(verb, ['1', '2:p:v:a'], sandbox.env), { code: 0, stdout, stderr: '' })
  }
  for (const name of ['1:p:v:a', '2:p:v:a']) t.ok(existsSync(join(sandbox.spool.tasks.cur, name, 'cancel')))
})

test('what is over cannot be cancelled, and the others are', async t => {
  const sandbox = new Sandbox(t)
  const maker = new SpoolMaker(sandbox.makeSpool())
  maker.finishedJob('1:p:v:a')
  maker.waitingTask('2:p:v:a')
  t.match(await call(verb, ['1', '2'], sandbox.env), {
    code: 100,
    stderr: "unable to cancel '1:p:v:a': it is over: success",
  })
  t.ok(existsSync(join(sandbox.spool.tasks.cur, '2:p:v:a/cancel')))
})

test('of a task that was retried the last retry is cancelled, queued or running', async t => {
  const sandbox = new Sandbox(t)
  const maker = new SpoolMaker(sandbox.makeSpool())
  const { tasks, jobs } = sandbox.spool
  const wished = (name: string) => existsSync(join(tasks.cur, name, 'cancel'))
  // Lost, then retried by a person once that had failed, as what waits.
  maker.finishedJob('1:p:v:a', { verdict: 'lost', retriedAs: '2:p:v:a' })
  maker.finishedJob('2:p:v:a', { verdict: 'failure', retriedAs: '4:p:v:a', retryOf: '1:p:v:a lost 1' })
  maker.waitingTask('4:p:v:a', { retryOf: '2:p:v:a user 0' })
  // Lost, and not archived yet, as what runs.
  maker.finishedJob('3:p:v:a', { verdict: 'lost', retriedAs: '5:p:v:a', place: 'cur' })
  maker.runningJob('5:p:v:a', { retryOf: '3:p:v:a lost 1' })
  t.same(await call(verb, ['1', '3'], sandbox.env), {
    code: 0,
    stdout:
      'cancelling 4:p:v:a, as which 1:p:v:a was retried\ncancelling 5:p:v:a, as which 3:p:v:a was retried\n',
    stderr: '',
  })
  t.same([wished('4:p:v:a'), wished('5:p:v:a'), wished('3:p:v:a')], [true, true, false])

  writeFileSync(join(jobs.cur, '5:p:v:a/result.txt'), 'success\n')
  renameSync(join(tasks.cur, '5:p:v:a'), join(tasks.old, '5:p:v:a'))
  t.match(await call(verb, ['3'], sandbox.env), {
    code: 100,
    stderr: "unable to cancel '3:p:v:a': it was retried as 5:p:v:a, which is over: success",
  })
})

test('a task whose retry is written down but not published yet takes the wish itself', async t => {
  const sandbox = new Sandbox(t)
  const maker = new SpoolMaker(sandbox.makeSpool())
  maker.finishedJob('1:p:v:a', { verdict: 'lost', retriedAs: '2:p:v:a', place: 'cur' })
  t.match(await call(verb, ['1'], sandbox.env), { code: 0, stdout: 'cancelling 1:p:v:a\n' })
  t.ok(existsSync(join(sandbox.spool.tasks.cur, '1:p:v:a/cancel')))
})

test('a revision means all its tasks that are not finished', async t => {
  const sandbox = new Sandbox(t)
  const maker = new SpoolMaker(sandbox.makeSpool())
  const revision = 'abcd'.padEnd(40, '0')
  maker.finishedJob('1:p:v:a', { revision })
  maker.waitingTask('2:p:v:b', { revision })
  maker.waitingTask('3:p:v:c', { revision })
  t.match(await call(verb, ['abcd'], sandbox.env), {
    code: 0,
    stdout: 'cancelling 2:p:v:b\ncancelling 3:p:v:c\n',
  })
})

test('a word that means no task cancels nothing', async t => {
  const sandbox = new Sandbox(t)
  new SpoolMaker(sandbox.makeSpool()).waitingTask('1:p:v:a')
  t.match(await call(verb, ['1', '7'], sandbox.env), { code: 100 })
  t.notOk(existsSync(join(sandbox.spool.tasks.cur, '1:p:v:a/cancel')))
})

test('--json prints of each task whether it was asked', async t => {
  const sandbox = new Sandbox(t)
  const maker = new SpoolMaker(sandbox.makeSpool())
  maker.finishedJob('1:p:v:a')
  maker.waitingTask('2:p:v:a')
  const { code, stdout } = await call(verb, ['--json', '1', '2'], sandbox.env)
  t.equal(code, 100)
  t.same(JSON.parse(stdout), [
    { asked: '1:p:v:a', name: '1:p:v:a', refused: "unable to cancel '1:p:v:a': it is over: success" },
    { asked: '2:p:v:a', name: '2:p:v:a', refused: null },
  ])
})
