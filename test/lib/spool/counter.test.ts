import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { lastNumber, makeCounter, takeNumbers } from '../../../lib/spool/counter.ts'
import { buildFault, FAULT_NEEDS, FaultState } from '../../fixtures/fault.ts'
import { lacks, ROOT, Sandbox } from '../../fixtures/sandbox.ts'

test('numbers grow, and several are taken at once', async t => {
  const { ctr } = new Sandbox(t).makeSpool()
  t.equal(takeNumbers(ctr, 1), 1)
  t.equal(takeNumbers(ctr, 3), 2)
  t.equal(takeNumbers(ctr, 1), 5)
  t.equal(lastNumber(ctr), 5)
})

test('the largest number wins, and what is no number does not count', async t => {
  const { ctr } = new Sandbox(t).makeSpool()
  for (const name of ['7', '12', '0099', 'x', '.13', '1e9']) mkdirSync(join(ctr, name))
  t.equal(takeNumbers(ctr, 1), 13)
  t.equal(takeNumbers(ctr, 1), 14, 'also when a smaller one is left behind')
})

test('a counter that is missing is never made anew', async t => {
  const sandbox = new Sandbox(t)
  const { ctr } = sandbox.makeSpool()
  rmSync(join(ctr, '0'), { recursive: true })
  t.throws(() => takeNumbers(ctr, 1), /holds no number/)
  rmSync(ctr, { recursive: true })
  t.throws(() => takeNumbers(ctr, 1), { code: 'ENOENT' }, 'that it is not there proves nothing')
  t.same(sandbox.ls('spool/tasks'), ['cur', 'old', 'tmp'])
})

test('a counter is made only where there is none', async t => {
  const sandbox = new Sandbox(t)
  const { ctr } = sandbox.makeSpool()
  takeNumbers(ctr, 5)
  makeCounter(ctr)
  t.same(sandbox.ls('spool/tasks/ctr'), ['5'])
  rmSync(join(ctr, '5'), { recursive: true })
  makeCounter(ctr)
  t.same(sandbox.ls('spool/tasks/ctr'), ['0'])
})

test(
  'a listing that is behind is read again, and one that stays behind ends the search',
  { skip: lacks(...FAULT_NEEDS) },
  async t => {
    const sandbox = new Sandbox(t)
    const { ctr, tasks } = sandbox.makeSpool()
    mkdirSync(join(tasks.tmp, ':p:v:'))
    const library = buildFault(sandbox.dir)
    // What was listed is not there when it is to be renamed: as a client of NFS has it that answers from memory.
    const clone = (name: string, fault: string) => {
      const state = new FaultState(library, sandbox.path(name))
      const env = {
        ...state.environment(ctr, join(ROOT, 'dist/master/clone-with-ctr.js'), fault),
        FAULT_ONLY: 'rename ctr/',
      }
      const { code, stdout, stderr } = sandbox.run('master/bin/clone-with-ctr', [':p:v:', ':p:v:a'], {
        cwd: tasks.tmp,
        env,
      })
      t.ok(state.fired)
      return { code, stdout, stderr }
    }
    t.match(clone('behind-once', '1:ENOENT'), { code: 0, stdout: '1:p:v:a\n' })
    const { code, stdout, stderr } = clone('behind', '1+:ENOENT')
    t.same([code, stdout], [111, ''])
    t.match(stderr, /unable to take a number from '.*\/ctr': what it lists cannot be renamed\n$/)
    // The answer of a rename that was done is lost: its number is a gap.
    t.match(clone('lost', '1:done-ENOENT'), { code: 0, stdout: '3:p:v:a\n' })
    t.same(sandbox.ls('spool/tasks/ctr'), ['3'])
  },
)
