// The store of a farmer that has none elsewhere.

import { readlinkSync, readFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { test } from 'tap'

import { Files } from '../../../master/farm/blobs.ts'
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
