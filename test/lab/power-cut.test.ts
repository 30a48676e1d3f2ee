// Real power cuts: SIGKILL to a kernel in the middle of publishing tasks and ending jobs. `POWER_CUTS` says how many.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { boot, lacksLab } from '../fixtures/lab.ts'
import { eventually, ROOT, Sandbox } from '../fixtures/sandbox.ts'

const CUTS = Number(process.env['POWER_CUTS'] ?? 1)

/** A repository with more commits than are made into tasks before the power is cut. */
function makeRepository(box: Sandbox): string {
  const path = box.path('hello')
  mkdirSync(join(path, '.bass'), { recursive: true })
  writeFileSync(join(path, '.bass/10-test'), '#!/bin/sh\necho done\n', { mode: 0o755 })
  box.git(path, 'init', '-q', '-b', 'main')
  box.git(path, 'add', '.')
  for (let i = 0; i < 60; i++) box.git(path, 'commit', '-q', '--allow-empty', '-m', `commit ${i}`)
  return path
}

/** Lets the machine work until it has said so many lines, cuts it off, and tells what it had said and what it holds. */
async function cutAfter(lines: number, root: string, repository: string, image: string) {
  const lab = boot([join(ROOT, 'test/lab/workload'), root, repository], { image })
  // The tenth takes 45 s where nothing else runs.
  await eventually('what the machine says', () => lab.lines().length >= lines, 240)
  const said = lab.lines()
  lab.cutPower()
  await lab.off
  const after = boot([join(ROOT, 'test/lab/inventory')], { image })
  const code = await after.off
  return { said, code, holds: after.lines() }
}

test('what was acknowledged before a power cut is there after it', { skip: lacksLab() }, async t => {
  // The machine sees our files, but for a few directories of its own, as /dev.
  const box = new Sandbox(t, '/tmp')
  const repository = makeRepository(box)
  for (let i = 0; i < CUTS; i++) {
    const { said, code, holds } = await cutAfter(20 + 13 * i, ROOT, repository, box.path(`image${i}`))
    t.equal(code, 0)
    t.same(
      said.filter(line => !holds.includes(line)),
      [],
    )
    t.same(
      holds.filter(line => line.startsWith('hollow made')),
      [],
    )
    const numbers = holds.flatMap(line => /^(?:made|cloned) (\d+):/.exec(line)?.[1] ?? []).map(Number)
    t.equal(new Set(numbers).size, numbers.length, 'each number was given out once')
    const counters = holds.flatMap(line => /^counter (\d+)$/.exec(line)?.[1] ?? []).map(Number)
    t.ok(Math.max(...counters) >= Math.max(...numbers), 'none of them will be given out again')
    t.comment(`${said.length} acknowledgements kept`)
  }
})
