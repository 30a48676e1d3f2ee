import fc from 'fast-check'
import { mkdirSync, writeFileSync } from 'node:fs'
import { test } from 'tap'

import {
  explain,
  formatOwner,
  giveVerdict,
  isDeadSelf,
  makeJob,
  newOwner,
  parseOwner,
  verdictOf,
} from '../../../lib/spool/job.ts'
import { Sandbox } from '../../fixtures/sandbox.ts'

test('an owner reads back as it was written', async t => {
  const owner = newOwner('testhost', '/srv/a slot=1', '0123456789abcdef')
  t.same(parseOwner(formatOwner(owner)), owner)
})

test('no text makes reading an owner throw', async t => {
  fc.assert(fc.property(fc.string(), text => void parseOwner(text)))
  t.equal(parseOwner(''), undefined)
  t.equal(parseOwner('host=a\nslot=b\npid=x\ntoken=c\n'), undefined)
})

test('the first verdict stands', async t => {
  const sandbox = new Sandbox(t)
  const job = sandbox.path('job')
  makeJob(job, newOwner('testhost', '/slot', '0123456789abcdef'))
  t.equal(verdictOf(job), undefined)
  t.same(giveVerdict(job, 'lost'), { stands: 'lost', ours: true })
  t.same(giveVerdict(job, 'success'), { stands: 'lost', ours: false })
  explain(job, 'one')
  explain(job, 'two')
  t.equal(sandbox.ok('cat', [`${job}/error.txt`, `${job}/result.txt`]), 'One.\nlost')
  t.same(sandbox.ls('job'), ['alive', 'error.txt', 'owner.txt', 'result.txt'], 'nothing else is left')
})

test('a result that is no verdict is none', async t => {
  const sandbox = new Sandbox(t)
  mkdirSync(sandbox.path('job'))
  writeFileSync(sandbox.path('job/result.txt'), 'great\n')
  t.equal(verdictOf(sandbox.path('job')), undefined)
})

test('only a process of the same host and slot that is certainly over is a dead self', async t => {
  const me = newOwner('h', '/slot', 'x')
  t.notOk(isDeadSelf(me, 'h', '/slot'), 'alive')
  const dead = { ...me, start: '1' }
  t.ok(isDeadSelf(dead, 'h', '/slot'))
  t.notOk(isDeadSelf(dead, 'h', '/other'))
  t.notOk(isDeadSelf(dead, 'i', '/slot'))
})
