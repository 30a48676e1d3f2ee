// How steps end where there is no Perl, so that they enter their pid namespace from outside.

import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { teardown, test } from 'tap'

import { tolerating } from '../../lib/base/errno.ts'
import { Rooms } from '../../slave/run/places/room.ts'
import { conformBriefly } from '../fixtures/conformance.ts'

const tools = join(mkdtempSync(join(tmpdir(), 'bass-test-')), 'bin')
mkdirSync(tools)
teardown(() => rmSync(join(tools, '..'), { recursive: true }))
for (const directory of process.env['PATH']!.split(':')) {
  for (const tool of tolerating(['ENOENT', 'EACCES'], () => readdirSync(directory)) ?? []) {
    if (!tool.startsWith('perl'))
      tolerating(['EEXIST'], () => symlinkSync(join(directory, tool), join(tools, tool)))
  }
}
process.env['PATH'] = tools

test('a room without Perl is entered', async t => {
  const rooms = new Rooms()
  t.equal(rooms.start, true)
  await (await rooms.take()).close()
  t.equal(rooms.start, false)
})

conformBriefly('ISOLATE=pid without Perl', { ISOLATE: 'pid', PATH: tools })
