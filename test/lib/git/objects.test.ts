import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'tap'

import { Objects } from '../../../lib/git/objects.ts'
import { Sandbox } from '../../fixtures/sandbox.ts'

test('a slow reader gets every byte in order, also of a process that has ended long before', async t => {
  const sandbox = new Sandbox(t)
  const bodies = Array.from({ length: 12 }, (_, i) => randomBytes(20_000 + i))
  const id = (i: number) => String(i).padStart(40, '0')
  // What git would print; this one ends as soon as it has printed it.
  const output = bodies.map((body, i) =>
    Buffer.concat([Buffer.from(`${id(i)} blob ${body.length}\n`), body, Buffer.from('\n')]),
  )
  const printed = sandbox.path('printed')
  writeFileSync(printed, Buffer.concat(output))
  const objects = new Objects(() => spawn('cat', [printed], { stdio: ['pipe', 'pipe', 'ignore'] }))
  const read = bodies.map(async (_, i) => {
    const pieces: Buffer[] = []
    const found = await objects.read(id(i), {
      begin: () => undefined,
      take: async bytes => {
        pieces.push(Buffer.from(bytes))
        await sleep(3)
      },
    })
    return found ? Buffer.concat(pieces) : undefined
  })
  for (const [i, body] of (await Promise.all(read)).entries()) t.ok(body?.equals(bodies[i]!), `object ${i}`)
  objects.close()
})
