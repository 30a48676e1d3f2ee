import { closeSync, fstatSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { test } from 'tap'

import { openPlain, openPlainSync } from '../../../lib/system/plain.ts'
import { Sandbox } from '../../fixtures/sandbox.ts'

test('a regular file is opened, and nothing else, without waiting', async t => {
  const box = new Sandbox(t)
  writeFileSync(box.path('file'), 'content')
  mkdirSync(box.path('directory'))
  symlinkSync('file', box.path('link'))
  box.ok('mkfifo', ['fifo'])
  const server = createServer()
  await new Promise<void>(done => server.listen(box.path('socket'), done))
  t.teardown(() => server.close())

  const { fd, stat } = openPlainSync(box.path('file'))!
  t.equal(stat.size, 7)
  t.equal(readFileSync(fd, 'utf8'), 'content')
  closeSync(fd)
  const file = await openPlain(box.path('file'))
  t.equal(await file?.readFile('utf8'), 'content')
  await file?.close()

  for (const name of ['missing', 'directory', 'link', 'fifo', 'socket', 'file/below']) {
    t.equal(openPlainSync(box.path(name)), undefined, name)
    t.equal(await openPlain(box.path(name)), undefined, name)
  }
  t.throws(() => fstatSync(fd), { code: 'EBADF' }, 'no descriptor is left of what is none')
})
