// The log of one stream, without a process: a pipe we write into, and a file.

import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import { test } from 'tap'
import type { Test } from 'tap'

import { eventually, Sandbox } from '../../fixtures/sandbox.ts'
import { Pools } from '../../../slave/run/places/pools.ts'
import { LogWriter } from '../../../slave/run/step-log.ts'
import type { LogOptions } from '../../../slave/run/step-log.ts'

async function openLog(t: Test, file = 'log', options: Partial<LogOptions> = {}) {
  const sandbox = new Sandbox(t)
  const pools = new Pools()
  const path = file.startsWith('/') ? file : sandbox.path(file)
  const [pipe] = await pools.pipes.take(sandbox.dir)
  const { reader, writer } = pipe.open()
  const stopper = new AbortController()
  const fd = openSync(path, 'w')
  t.teardown(() => closeSync(fd))
  const log = new LogWriter(reader, fd, {
    path,
    secrets: [],
    buffers: pools.buffers,
    budget: { left: Infinity, notice: '' },
    canHang: false,
    heard: () => undefined,
    stop: stopper.signal,
    ...options,
  })
  return { path, writer, log, stopper, read: () => readFileSync(path, 'latin1') }
}

for (const canHang of [false, true]) {
  test(`what is written is in the log before its line is complete, under one label${canHang ? ', by a thread' : ''}`, async t => {
    const { writer, log, read } = await openLog(t, 'log', { canHang })
    writeSync(writer, 'half ')
    await eventually('the first half is there', () => /^@[0-9a-f]{24} half $/.test(read()))
    writeSync(writer, 'and half\n\nnext')
    await eventually('the rest is there', () => read().endsWith('next'))
    t.match(read(), /^@[0-9a-f]{24} half and half\n@[0-9a-f]{24} \n@[0-9a-f]{24} next$/)
    closeSync(writer)
    await log.ended
    t.ok(log.drained)
  })
}

test('a full disk makes the stream wait, and after a stop it is an error', { timeout: 20_000 }, async t => {
  const { writer, log, stopper } = await openLog(t, '/dev/full')
  writeSync(writer, 'line\n')
  await eventually('it tries to write', () => log.writing)
  t.ok(log.writing)
  stopper.abort('cancelled')
  await t.rejects(log.ended, {
    exitCode: 111,
    message: "unable to write '/dev/full': no space left on device",
  })
  closeSync(writer)
})

test('what is held back for a secret is shown at the end', async t => {
  const { writer, log, read } = await openLog(t, 'log', { secrets: ['secret'] })
  writeSync(writer, 'a sec')
  closeSync(writer)
  await log.ended
  t.match(read(), /^@[0-9a-f]{24} a sec$/)
})
