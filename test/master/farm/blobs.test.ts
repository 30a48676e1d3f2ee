// The store of a farmer: files of its own, and an S3 as far as it is read.

import { readlinkSync, readFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { test } from 'tap'

import { Files, openBlobs } from '../../../master/farm/blobs.ts'
import { Sandbox } from '../../fixtures/sandbox.ts'

test('a file that is stored, and each directory that was made for it, is on the disk', async t => {
  const sandbox = new Sandbox(t)
  const root = sandbox.path('files')
  const store = new Files(root, 'http://127.0.0.1:1', 'a secret')
  const handle = await open(root)
  const handles = Object.getPrototypeOf(handle) as { sync: (this: FileHandle) => Promise<void> }
  await handle.close()
  const { sync } = handles
  let synced: string[] = []
  t.teardown(() => Object.assign(handles, { sync }))
  Object.assign(handles, {
    sync(this: FileHandle) {
      synced.push(readlinkSync(`/proc/self/fd/${this.fd}`).slice(root.length))
      return sync.call(this)
    },
  })
  const put = (name: string, size: number) =>
    store.put(`jobs/1/an-attempt/${name}`, size, Readable.from([Buffer.from('hello')]))
  t.equal(await put('one', 5), true)
  t.same(synced, ['/jobs/1', '/jobs', '', '/jobs/1/an-attempt'])
  synced = []
  t.equal(await put('two', 5), true)
  t.same(synced, ['/jobs/1/an-attempt'])
  t.equal(await put('short', 6), false)
  t.same(sandbox.ls('files/jobs/1/an-attempt'), ['one', 'two'])
  t.equal(readFileSync(sandbox.path('files/jobs/1/an-attempt/one'), 'utf8'), 'hello')
})

test('an S3 that cannot say how long a file is has not said that it is empty', async t => {
  const statuses: number[] = []
  const server = createServer((_, response) => {
    response.writeHead(statuses.shift() ?? 200, { 'Content-Length': 1000 }).end()
  })
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const before = { ...process.env }
  t.teardown(() => (process.env = before))
  Object.assign(process.env, {
    S3_BUCKET: 'farm',
    S3_ENDPOINT: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    AWS_ACCESS_KEY_ID: 'a',
    AWS_SECRET_ACCESS_KEY: 'b',
    AWS_REGION: 'us-east-1',
  })
  const store = await openBlobs('', '', '')
  t.match(await store.open('jobs/1/a/x'), { size: 1000 })
  for (const status of [500, 503, 403]) {
    statuses.push(status)
    await t.rejects(store.open('jobs/1/a/x'), { exitCode: 111, message: /unable to open 'jobs\/1\/a\/x': / })
  }
  statuses.push(404)
  t.equal(await store.open('jobs/1/a/x'), undefined)
})
