// Where the spool is, when nothing says so; and the listing of its tasks.

import { mkdirSync, renameSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'tap'

import { openSpool, openTasks, taskLister } from '../../../lib/spool/spool.ts'
import { call } from '../../fixtures/in-process.ts'

test('a program that is told of no spool says how to make one', async t => {
  for (const open of [openSpool, () => openTasks()]) {
    const main = () => {
      open()
      return Promise.resolve(0)
    }
    t.match(await call({ main }, [], { JOBS: '' }), {
      code: 100,
      stderr: /SPOOL is not set; 'bass init DIR'/,
    })
  }
})

test('a lister of tasks sees each change at once, whatever came just before it, and whether it has looked lately', async t => {
  const directory = join(t.testdir({ cur: {} }), 'cur')
  const list = taskLister(directory)
  const wanted: string[] = []
  for (let i = 1; i <= 300; i++) {
    const name = `${i}:hello:v1:x86`
    mkdirSync(join(directory, name))
    wanted.push(name)
    if (list().length !== i) t.fail(`${i} tasks are there, and it sees ${list().length}`)
    if (i % 100 !== 0) continue
    // Now it need not list any more.
    await sleep(120)
    const before = list()
    t.equal(list(), before)
    await sleep(120)
    t.equal(list(), before)
  }
  rmdirSync(join(directory, wanted.pop()!))
  t.same(
    list().map(({ name }) => name),
    wanted,
  )
  renameSync(directory, `${directory}.away`)
  t.throws(list, { code: 'ENOENT' })
  mkdirSync(directory)
  t.same(list(), [])
})
