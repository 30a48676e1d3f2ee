import { test } from 'tap'

import { findAll, findOne } from '../../../bin/views/find-task.ts'
import { Sandbox } from '../../fixtures/sandbox.ts'
import { SpoolMaker } from '../../fixtures/spool-maker.ts'

const [A, B] = ['abcd1'.padEnd(40, '0'), 'abcd2'.padEnd(40, '0')]

function make(t: ConstructorParameters<typeof Sandbox>[0]) {
  const spool = new Sandbox(t).makeSpool()
  const maker = new SpoolMaker(spool)
  maker.finishedJob('1:p:v:a', { revision: A, retriedAs: '3:p:v:a' })
  maker.waitingTask('2:p:w:a', { revision: B })
  maker.waitingTask('3:p:v:a', { revision: A, retryOf: '1:p:v:a user 0' })
  return spool
}

test('a task is found by number, name, revision and as the last', async t => {
  const spool = make(t)
  for (const [text, num] of [
    ['1', 1],
    ['1:p:v:a', 1],
    ['abcd2', 2],
    [A, 3],
    ['last', 3],
  ] as const) {
    t.equal(findOne(spool, text).task.num, num, text)
  }
})

test('a revision with several tasks, a project and a ref mean their newest task', async t => {
  const spool = new Sandbox(t).makeSpool()
  const maker = new SpoolMaker(spool)
  maker.finishedJob('1:p:v:a', { revision: A, ref: 'refs/heads/main' })
  maker.waitingTask('2:p:v:b', { revision: A, ref: 'refs/heads/main' })
  maker.waitingTask('3:p:w:a', { revision: B, ref: 'refs/heads/topic/x' })
  maker.waitingTask('4:q:w:a', { revision: B, ref: 'refs/tags/v1' })
  for (const [text, num] of [
    [A, 2],
    ['abcd1', 2],
    ['p', 3],
    ['p/main', 2],
    ['p/heads/main', 2],
    ['p/refs/heads/main', 2],
    ['p/topic/x', 3],
    ['q/v1', 4],
  ] as const) {
    t.equal(findOne(spool, text).task.num, num, text)
  }
  for (const text of ['p/topic', 'p/v1', 'r', 'r/main']) {
    t.throws(() => findOne(spool, text), { message: /unable to find the task/ }, text)
  }
})

test('a prefix of two revisions is refused with both', async t => {
  t.throws(() => findOne(make(t), 'abcd'), { message: /may be any of 2:p:w:a, 3:p:v:a/, exitCode: 100 })
})

test('before the first task, last says what makes one', t => {
  t.throws(() => findOne(new Sandbox(t).makeSpool(), 'last'), { message: /'bass event PROJECT', makes one/ })
  t.end()
})

test('what is nowhere is refused', async t => {
  const spool = make(t)
  for (const text of ['4', '1:p:v:b', 'ffff', 'abc', '../1', '']) {
    t.throws(() => findOne(spool, text), { message: /unable to find the task/ }, text)
  }
})

test('a revision means all its tasks, each by its last retry', async t => {
  t.same(
    findAll(make(t), 'abcd').map(task => task.num),
    [2, 3],
  )
})
