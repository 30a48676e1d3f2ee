// What comes back goes where it belongs: archives by tar itself, good and hostile.

import { createHash } from 'node:crypto'
import { existsSync, linkSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { test } from 'tap'
import type { Test } from 'tap'

import { writeS2 } from '../../../lib/bundle/s2.ts'
import { bringBack } from '../../../lib/exec/bring-back.ts'
import { Sandbox } from '../../fixtures/sandbox.ts'

async function* from(bytes: Buffer): AsyncGenerator<Buffer, void> {
  yield await Promise.resolve(bytes)
}

/** A directory with two names of one file, an empty `out`, and what brings a tar of that directory back. */
function start(t: Test) {
  const sandbox = new Sandbox(t)
  for (const name of ['code', 'out']) mkdirSync(sandbox.path(name))
  writeFileSync(sandbox.path('code/a'), 'content\n')
  linkSync(sandbox.path('code/a'), sandbox.path('code/b'))
  writeFileSync(sandbox.path('secret'), 'secret\n')
  const bring = async (...options: string[]) => {
    sandbox.ok('tar', ['-Pcf', 'a.tar', ...options, '-C', 'code', 'a', 'b'])
    const parts: Buffer[] = []
    for await (const part of writeS2(from(readFileSync(sandbox.path('a.tar'))))) parts.push(part)
    const archive = Buffer.concat(parts)
    const result = {
      ...{ exitCode: 0, signal: '', timedOut: false, error: '', archive: 'x', files: 2, deleted: [] },
      ...{ archiveBytes: archive.length, archiveSha256: createHash('sha256').update(archive).digest() },
    }
    await bringBack({ fetch: () => from(archive) }, result as never, sandbox.path('out'), 'named')
  }
  process.env['BUNDLE_MAX'] = '1M'
  return { sandbox, bring }
}

test('a hard link that leads outside is left out, and all else comes', async t => {
  const { sandbox, bring } = start(t)
  await bring('--transform', 's,^a$,../../secret,hRS')
  t.same(sandbox.ls('out'), ['a'])
  await bring()
  t.equal(readFileSync(sandbox.path('out/b'), 'utf8'), 'content\n')
})

test('an archive that leads outside, or is larger than BUNDLE_MAX, leaves nothing', async t => {
  const { sandbox, bring } = start(t)
  await t.rejects(bring('--transform', 's,^a$,../../evil,r'), { exitCode: 100, message: /leads outside/ })
  t.notOk(existsSync(sandbox.path('evil')))
  writeFileSync(sandbox.path('code/a'), Buffer.alloc(2 << 20))
  await t.rejects(bring(), { exitCode: 100, message: /more than the 1048576 bytes that BUNDLE_MAX allows/ })
  t.same(sandbox.ls('out'), [])
})
