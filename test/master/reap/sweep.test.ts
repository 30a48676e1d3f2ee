import fs, { existsSync, linkSync, mkdirSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'tap'

import { sweepAll } from '../../../master/reap/sweep.ts'
import { Sandbox } from '../../fixtures/sandbox.ts'

/** In milliseconds. */
const AFTER = 300

function begin(t: ConstructorParameters<typeof Sandbox>[0]) {
  const sandbox = new Sandbox(t)
  const spool = sandbox.makeSpool()
  const left = join(spool.tasks.tmp, '4:hello:v1:testarch')
  mkdirSync(left)
  writeFileSync(join(left, 'code.tar'), 'code')
  const look = sweepAll({ sweepAfter: AFTER, poll: 1 })
  const ls = () => sandbox.ls('spool/tasks/tmp')
  return { sandbox, spool, file: join(left, 'code.tar'), ls, look: () => look(spool) }
}

test('what is rubbish is swept also while tasks come and go that share its files', async t => {
  const { sandbox, file, ls, look } = begin(t)
  const change = statSync(file).ctimeMs
  for (let i = 0; i < 2; i++) {
    look()
    linkSync(file, sandbox.path(`shared${i}`))
    if (i > 0) unlinkSync(sandbox.path('shared0'))
    t.same(ls(), ['4:hello:v1:testarch'], 'not yet')
    await sleep(AFTER / 2 + 20)
  }
  t.ok(statSync(file).ctimeMs > change, 'links change its ctime')
  look()
  t.same(ls(), [])
})

test('what is still written is no rubbish', async t => {
  const { file, ls, look } = begin(t)
  for (let i = 0; i < 4; i++) {
    look()
    await sleep(AFTER / 2 + 20)
    writeFileSync(file, 'more', { flag: 'a' })
  }
  look()
  t.same(ls(), ['4:hello:v1:testarch'])
  rmSync(file)
})

test('rubbish that cannot be deleted keeps no other from being deleted', t => {
  const { spool, look } = begin(t)
  const dead = (directory: string, token: string) => {
    mkdirSync(join(directory, `.dead-${token}`))
    return join(directory, `.dead-${token}`)
  }
  const stuck = dead(spool.tasks.tmp, '0000000000000001')
  const others = [dead(spool.tasks.tmp, '0000000000000002'), dead(spool.jobs.cur, '0000000000000003')]
  const { rmdirSync, rmSync } = fs
  const refuse = <T>(really: (path: string, options?: T) => void) => {
    return (path: string, options?: T) => {
      if (path === stuck) throw Object.assign(new Error('no'), { code: 'EACCES', errno: -13 })
      really(path, options)
    }
  }
  t.teardown(() => Object.assign(fs, { rmdirSync, rmSync }))
  Object.assign(fs, { rmdirSync: refuse(rmdirSync), rmSync: refuse(rmSync) })
  look()
  t.same(
    [stuck, ...others].map(path => existsSync(path)),
    [true, false, false],
  )
  t.end()
})
