import { existsSync } from 'node:fs'
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
  maker.finishedJob('1:p:v:a', { verdict: 'lost', retriedAs: '3:p:v:a' })
  maker.waitingTask('2:p:v:a')
  t.match(await call(verb, ['1', '2'], sandbox.env), {
    code: 100,
    stderr: "unable to cancel '1:p:v:a': it is over: lost; it was retried as 3:p:v:a",
  })
  t.ok(existsSync(join(sandbox.spool.tasks.cur, '2:p:v:a/cancel')))
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
    { name: '1:p:v:a', refused: "unable to cancel '1:p:v:a': it is over: success" },
    { name: '2:p:v:a', refused: null },
  ])
})
