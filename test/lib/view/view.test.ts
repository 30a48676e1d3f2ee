import { execFileSync } from 'node:child_process'
import { mkdirSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { timeOf } from '../../../lib/system/durable.ts'
import { parseParams } from '../../../lib/spool/event.ts'
import { parseExit, readView } from '../../../lib/view/view.ts'
import { archivedTasks, current, whereIs } from '../../../lib/view/whereabouts.ts'
import { Sandbox } from '../../fixtures/sandbox.ts'
import { NOON, SpoolMaker } from '../../fixtures/spool-maker.ts'

const NAME = '7:hello:v1:linux-x86_64'

function make(t: ConstructorParameters<typeof Sandbox>[0]) {
  const spool = new Sandbox(t).makeSpool()
  return { spool, maker: new SpoolMaker(spool), view: (name = NAME) => readView(whereIs(spool, name)!) }
}

test('a waiting task is read from its files', async t => {
  const { maker, view } = make(t)
  maker.waitingTask('7:hello:v1:linux-x86_64:h1', {
    revision: 'a'.repeat(40),
    ref: 'refs/heads/topic',
    params: { COLOUR: 'a=b' },
    retryOf: '3:hello:v1:linux-x86_64:h1 user 0',
    made: NOON,
  })
  t.same(view('7:hello:v1:linux-x86_64:h1'), {
    name: '7:hello:v1:linux-x86_64:h1',
    num: 7,
    project: 'hello',
    version: 'v1',
    arch: 'linux-x86_64',
    host: 'h1',
    state: 'waiting',
    revision: 'a'.repeat(40),
    ref: 'refs/heads/topic',
    label: null,
    params: { COLOUR: 'a=b' },
    retryOf: { parent: '3:hello:v1:linux-x86_64:h1', cause: 'user', tries: 0 },
    loss: null,
    priority: null,
    made: NOON,
    cancelling: false,
    job: null,
  })
})

test('a running job shows who runs it and the step it is at', async t => {
  const { maker, view } = make(t)
  maker.runningJob(NAME, {
    claimed: NOON,
    steps: [
      { name: '10-build', exit: '0', from: 1, to: 3.5 },
      { name: '20-test', from: 4 },
    ],
  })
  const { state, job } = view()!
  t.equal(state, 'running')
  t.match(job, {
    verdict: null,
    host: 'h1',
    slot: '/slots/0',
    claimed: NOON,
    started: NOON + 1000,
    ended: null,
  })
  t.same(job!.steps, [
    {
      name: '10-build',
      state: 'success',
      exit: 0,
      signal: null,
      started: NOON + 1000,
      ended: NOON + 3500,
      seconds: 2.5,
    },
    {
      name: '20-test',
      state: 'running',
      exit: null,
      signal: null,
      started: NOON + 4000,
      ended: null,
      seconds: null,
    },
  ])
  t.type(job!.beat, 'number')
})

test('a job that is over shows its verdict, how long it took and what is left of it', async t => {
  const { maker, view } = make(t)
  maker.finishedJob(NAME, {
    verdict: 'lost',
    claimed: NOON,
    ended: NOON + 61_500,
    error: 'its host fell silent',
    retriedAs: '9:hello:v1:linux-x86_64',
    artifacts: { 'a/b.html': '' },
    steps: [{ name: '10-test' }],
  })
  const { state, job } = view()!
  t.equal(state, 'over')
  t.match(job, {
    verdict: 'lost',
    seconds: 61.5,
    beat: null,
    error: 'its host fell silent',
    retriedAs: '9:hello:v1:linux-x86_64',
    artifacts: true,
    steps: [{ state: 'interrupted' }],
  })
})

test('a job whose task was pruned is still read', async t => {
  const { spool, maker, view } = make(t)
  maker.finishedJob(NAME)
  rmSync(join(spool.tasks.old, NAME), { recursive: true })
  t.match(view(), { revision: null, state: 'over', job: { verdict: 'success' } })
})

test('a job that is archived while it is read lacks nothing', async t => {
  const { spool, maker } = make(t)
  maker.waitingTask(NAME, { revision: 'a'.repeat(40), ref: 'refs/heads/topic', made: NOON })
  const where = whereIs(spool, NAME)!
  renameSync(join(spool.tasks.cur, NAME), join(spool.tasks.old, NAME))
  t.match(readView(where), { revision: 'a'.repeat(40), ref: 'refs/heads/topic', made: NOON })
  rmSync(join(spool.tasks.old, NAME), { recursive: true })
  t.equal(readView(where), undefined)
})

test('what is in `cur` and what is archived are listed apart', async t => {
  const { spool, maker } = make(t)
  maker.waitingTask('12:p:v:a')
  maker.runningJob('10:p:v:a')
  maker.finishedJob('9:p:v:a', { place: 'cur' })
  maker.finishedJob('8:p:v:a')
  t.same(
    current(spool).map(where => [where.task.num, readView(where)!.state]),
    [
      [9, 'over'],
      [10, 'running'],
      [12, 'waiting'],
    ],
  )
  t.same(
    archivedTasks(spool).map(where => [where.task.num, readView(where)!.job!.verdict]),
    [[8, 'success']],
  )
})

test('what ended a step is one word', async t => {
  const table: [string, unknown][] = [
    ['0\n', { state: 'success', exit: 0 }],
    ['77', { state: 'skipped', exit: 77 }],
    ['1', { state: 'failure', exit: 1 }],
    ['timeout\n', { state: 'timeout' }],
    ['signal SIGKILL', { state: 'failure', signal: 'KILL' }],
    ['signal KILL', { state: 'failure', signal: 'KILL' }],
    ['', undefined],
    ['-1', undefined],
  ]
  for (const [text, how] of table) t.same(parseExit(text), how, text)
})

test('lines that are no KEY=VALUE are left out', async t => {
  t.same(parseParams('A=1\n\nnonsense\n=x\nB=\n'), { A: '1', B: '' })
  t.same(parseParams('A=1\r\n\r\nB=x\ry\u2028z=\r\nC=3'), { A: '1', B: 'x\ry\u2028z=', C: '3' })
})

test('files and directories tell their time, and what is neither tells nothing', async t => {
  const sandbox = new Sandbox(t)
  const [file, directory, fifo] = ['file', 'directory', 'fifo'].map(name => sandbox.path(name)) as [
    string,
    string,
    string,
  ]
  writeFileSync(file, '')
  mkdirSync(directory)
  execFileSync('mkfifo', [fifo])
  for (const path of [file, directory]) {
    utimesSync(path, 12, 34.5)
    t.equal(timeOf(path), 34_500)
  }
  t.equal(timeOf(fifo), null)
  t.equal(timeOf(sandbox.path('nothing')), null)
})
