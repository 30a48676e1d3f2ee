// Where the spool is, when nothing says so.

import { test } from 'tap'

import { openSpool, openTasks } from '../../../lib/spool/spool.ts'
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
