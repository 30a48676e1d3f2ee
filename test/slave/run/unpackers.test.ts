import { mkdirSync, writeFileSync } from 'node:fs'
import { test } from 'tap'

import { missingUnpackers, neededUnpackers } from '../../../slave/run/unpackers.ts'
import { Sandbox } from '../../fixtures/sandbox.ts'

test('a task is left to others only for want of a program that its bundles need', async t => {
  const box = new Sandbox(t)
  t.same(missingUnpackers(box.dir), ['zstd', 'xz'])
  for (const name of ['zstd', 'xz']) writeFileSync(box.path(name), '', { mode: 0o755 })
  t.same(missingUnpackers(`/nowhere:${box.dir}`), [])
  mkdirSync(box.path('task'))
  const put = (name: string, hex: string, size = 300_000) =>
    writeFileSync(box.path('task', name), Buffer.concat([Buffer.from(hex, 'hex'), Buffer.alloc(size)]))
  put('steps.tar', '1f8b')
  const needed = (hex: string, size?: number) => {
    put('code.tar', hex, size)
    return neededUnpackers(box.path('task'), ['zstd', 'xz'])
  }
  t.same(needed('28b52ffd'), ['zstd'])
  t.same(needed('28b52ffd', 10), [], 'small ones need none')
  t.same(needed('fd377a585a00', 10), ['xz'])
  t.same(needed('1f8b'), [])
  t.same(neededUnpackers(box.path('nothing'), ['zstd', 'xz']), [])
})
