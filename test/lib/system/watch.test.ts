import { mkdirSync } from 'node:fs'
import { mock } from 'node:test'
import { test } from 'tap'

import { watch } from '../../../lib/system/watch.ts'
import { Sandbox } from '../../fixtures/sandbox.ts'

type T = ConstructorParameters<typeof Sandbox>[0]

/** A watch of an empty directory, under a clock that stands still until it is moved on. */
async function watched(t: T, how: string) {
  const box = new Sandbox(t)
  const before = process.env
  process.env = { ...before, WATCH: how, POLL_INTERVAL: '2' }
  const bell = await watch([box.dir])
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(async () => {
    process.env = before
    mock.timers.reset()
    await bell.close()
  })
  let rung = false
  const next = bell.next().then(() => (rung = true))
  /** True if the bell has rung when so many milliseconds are over. */
  const after = async (milliseconds: number) => {
    mock.timers.tick(milliseconds)
    await new Promise(done => setImmediate(done))
    return rung
  }
  return { box, next, after }
}

test('on a local file system a change wakes at once', async t => {
  const { box, next } = await watched(t, 'auto')
  mkdirSync(box.path('new'))
  t.ok(await next)
})

test('where file events arrive, a look each 30 s is the safety net', async t => {
  for (const how of ['auto', 'events']) {
    await t.test(how, async t => {
      const { after } = await watched(t, how)
      t.notOk(await after(29_900))
      t.ok(await after(100))
    })
  }
})

test('a poll looks each POLL_INTERVAL', async t => {
  const { after } = await watched(t, 'poll')
  t.notOk(await after(1900))
  t.ok(await after(100))
})
