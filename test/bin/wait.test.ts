import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'tap'

import { verb } from '../../bin/wait.ts'
import { call } from '../fixtures/in-process.ts'
import { Sandbox } from '../fixtures/sandbox.ts'
import { SpoolMaker } from '../fixtures/spool-maker.ts'

const REVISION = 'abcdef'.padEnd(40, '0')

function make(t: ConstructorParameters<typeof Sandbox>[0]) {
  const sandbox = new Sandbox(t)
  const spool = sandbox.makeSpool()
  return { spool, maker: new SpoolMaker(spool), wait: (...argv: string[]) => call(verb, argv, sandbox.env) }
}

test('wait returns when all have verdicts, and exits as the first that was no success', async t => {
  const { maker, spool, wait } = make(t)
  maker.finishedJob('1:p:v:a')
  const job = maker.runningJob('2:p:v:a')
  const waiting = wait('1', '2')
  await sleep(300)
  writeFileSync(join(job, 'result.txt'), 'timeout\n')
  t.same(await waiting, { code: 99, stdout: '1:p:v:a success\n2:p:v:a timeout\n', stderr: '' })
  t.ok(spool)
})

test('a job that was lost counts by its retry, also while that is still to come', async t => {
  const { maker, spool, wait } = make(t)
  const job = maker.finishedJob('1:p:v:a', { verdict: 'lost', place: 'cur' })
  const waiting = wait('1')
  await sleep(300)
  maker.finishedJob('2:p:v:a', { retryOf: '1:p:v:a lost 1' })
  writeFileSync(join(job, 'retried-as.txt'), '2:p:v:a\n')
  t.same(await waiting, { code: 0, stdout: '2:p:v:a success\n', stderr: '' })
  t.ok(spool)
})

test('a lost job that nobody retries is lost', async t => {
  const { maker, wait } = make(t)
  maker.finishedJob('1:p:v:a', { verdict: 'lost' })
  t.same(await wait('1'), { code: 111, stdout: '1:p:v:a lost\n', stderr: '' })
})

test('a revision is waited for from its event to the verdicts of all its tasks', async t => {
  const { maker, spool, wait } = make(t)
  const [event, making] = [join(spool.revs, 'hello/refs/heads/main'), join(spool.revs, '.making/hello')]
  mkdirSync(event, { recursive: true })
  mkdirSync(join(making, 'T/refs/heads/main'), { recursive: true })
  writeFileSync(join(event, REVISION), '')
  const waiting = wait(REVISION.slice(0, 6))
  await sleep(300)
  renameSync(join(event, REVISION), join(making, 'T/refs/heads/main', REVISION))
  maker.finishedJob('1:p:v:a', { revision: REVISION })
  await sleep(300)
  const job = maker.runningJob('2:p:v:b', { revision: REVISION })
  rmSync(join(making, 'T'), { recursive: true })
  await sleep(300)
  writeFileSync(join(job, 'result.txt'), 'failure\n')
  t.same(await waiting, { code: 1, stdout: '1:p:v:a success\n2:p:v:b failure\n', stderr: '' })
})

test('of an old task the revision is read once, however often wait looks', async t => {
  const { maker, spool, wait } = make(t)
  const old = Array.from({ length: 50 }, (_, i) => `${i + 1}:p:v:a`)
  for (const name of old) maker.finishedJob(name, { revision: '1'.repeat(40) })
  const job = maker.runningJob('60:p:v:a', { revision: REVISION })
  const waiting = wait(REVISION.slice(0, 6))
  // Its first look is over then, and the second still to come.
  await sleep(500)
  // Whoever read them again would find that they are of this revision.
  for (const name of old) writeFileSync(join(spool.tasks.old, name, 'code-revision.txt'), REVISION + '\n')
  maker.finishedJob('61:p:v:b', { revision: REVISION })
  await sleep(1500)
  writeFileSync(join(job, 'result.txt'), 'success\n')
  const { code, stdout } = await waiting
  t.equal(code, 0)
  t.equal(stdout, '61:p:v:b success\n60:p:v:a success\n', 'it has looked again, and not into these')
})

test('wait gives up after --timeout', async t => {
  const { maker, wait } = make(t)
  maker.waitingTask('1:p:v:a')
  t.same(await wait('--timeout', '0.1', '1'), { code: 99, stdout: '', stderr: '' })
  t.match(await wait('--timeout', 'soon', '1'), { code: 100 })
})

test('wait for programs prints a list', async t => {
  const { maker, wait } = make(t)
  maker.finishedJob('1:p:v:a')
  t.match(JSON.parse((await wait('--json', '1', '1')).stdout), [{ num: 1, job: { verdict: 'success' } }])
})
