import { existsSync, mkdirSync } from 'node:fs'
import { test } from 'tap'

import { move } from '../../lib/durable.ts'
import { Sandbox } from '../fixtures/sandbox.ts'

test('a move that fails is an error while the thing is where it was, hidden or not', async t => {
  const box = new Sandbox(t)
  for (const name of ['shown', '.hidden']) {
    mkdirSync(box.path(name))
    t.throws(() => move(box.path(name), box.path('nowhere', name)), { code: 'ENOENT' })
    t.ok(existsSync(box.path(name)))
  }
})

test('a move of what somebody else has moved already is done', async t => {
  const box = new Sandbox(t)
  t.doesNotThrow(() => move(box.path('.gone'), box.path('moved')))
})
