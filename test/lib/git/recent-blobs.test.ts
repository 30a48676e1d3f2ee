import { test } from 'tap'

import { RecentBlobs } from '../../../lib/git/recent-blobs.ts'
import type { Asking } from '../../../lib/git/recent-blobs.ts'
import type { ObjectReader } from '../../../lib/git/objects.ts'

const BLOB_MAX = 64 * 1024

const id = (i: number): string => i.toString(16).padStart(40, '0')

/** Of a repository that is used again and again. */
function rested(): RecentBlobs {
  const blobs = new RecentBlobs()
  blobs.rest()
  return blobs
}

/** Reads objects as a repository does, of so many bytes each; returns of which git was asked, and what the readers took. */
async function readAll(
  blobs: RecentBlobs,
  ids: readonly number[],
  { bytes = 3, type = 'blob', pieces = 1 } = {},
) {
  const taken: string[] = []
  const wanted = ids.map((i): Asking => {
    let text = ''
    const reader: ObjectReader = {
      begin: ({ id, size }) => {
        text = `${parseInt(id, 16)}:`
        if (size === 0) taken.push(text)
      },
      take: piece => {
        text += piece.toString()
        if (text.length - text.indexOf(':') - 1 === bytes) taken.push(text)
      },
    }
    return [id(i), reader]
  })
  const { asked, handRest } = blobs.split(wanted, new AbortController().signal)
  for (const [id, reader] of asked) {
    await reader.begin({ id, type, size: bytes })
    const body = Buffer.alloc(bytes, String(parseInt(id, 16) % 10))
    for (let at = 0; at < bytes; at += bytes / pieces)
      void reader.take(body.subarray(at, at + bytes / pieces))
  }
  await handRest()
  return { asked: asked.map(([id]) => parseInt(id, 16)), taken }
}

test('what was read lately is not asked again, and all come in their order', async t => {
  const blobs = rested()
  t.same(await readAll(blobs, [2, 4]), { asked: [2, 4], taken: ['2:222', '4:444'] })
  const all = ['1:111', '2:222', '3:333', '4:444', '5:555']
  t.same(await readAll(blobs, [1, 2, 3, 4, 5]), { asked: [1, 3, 5], taken: all })
  t.same(await readAll(blobs, [1, 2, 3, 4, 5]), { asked: [], taken: all })
  t.same(await readAll(blobs, [6, 5, 4, 6]), { asked: [6, 6], taken: ['6:666', '5:555', '4:444', '6:666'] })
})

test('empty ones, and those that come in pieces, are what they were', async t => {
  const blobs = rested()
  t.same(await readAll(blobs, [1], { bytes: 0 }), await readAll(rested(), [1], { bytes: 0 }))
  t.same(await readAll(blobs, [1], { bytes: 0 }), { asked: [], taken: ['1:'] })
  await readAll(blobs, [2], { bytes: 4, pieces: 4 })
  t.same(await readAll(blobs, [2], { bytes: 4 }), { asked: [], taken: ['2:2222'] })
})

test('what is large, or no blob, is not kept; nor is more than there is room for, and the first stay', async t => {
  const blobs = rested()
  await readAll(blobs, [1], { bytes: BLOB_MAX + 1 })
  await readAll(blobs, [2], { type: 'tree' })
  t.same((await readAll(blobs, [1, 2])).asked, [1, 2])
  const many = Array.from({ length: 600 }, (_, i) => i + 10)
  const [bytes, room] = [BLOB_MAX, 32 * 1024 * 1024]
  await readAll(blobs, many, { bytes })
  const { asked } = await readAll(blobs, many, { bytes })
  t.ok(
    many.length - asked.length <= room / bytes && many.length - asked.length > room / bytes - 5,
    'so many fit',
  )
  t.same(asked, many.slice(-asked.length))
})

test('a piece of work leaves what it wanted, and room for the next', async t => {
  const blobs = rested()
  await readAll(blobs, [1, 2, 3])
  blobs.rest()
  await readAll(blobs, [2])
  blobs.rest()
  t.same((await readAll(blobs, [1, 2, 3])).asked, [1, 3])
  const [many, bytes] = [Array.from({ length: 500 }, (_, i) => i + 10), 60_000]
  for (let piece = 0; piece < 3; piece++) {
    const own = many.map(i => i + 1000 * piece)
    await readAll(blobs, own, { bytes })
    t.same((await readAll(blobs, own, { bytes })).asked, [], 'all of it is kept')
    blobs.rest()
    blobs.rest()
  }
  blobs.forget()
  t.same((await readAll(blobs, [2012])).asked, [2012])
})

test('what two read at the same time takes room once', async t => {
  const blobs = rested()
  const body = Buffer.alloc(BLOB_MAX)
  const reader: ObjectReader = { begin: () => undefined, take: () => undefined }
  for (let i = 0; i < 600; i++) {
    const both = [i, i].map(i => blobs.split([[id(i), reader]], new AbortController().signal).asked[0]!)
    for (const [id, reader] of both) void reader.begin({ id, type: 'blob', size: body.length })
    for (const [, reader] of both) void reader.take(body)
    blobs.rest()
    blobs.rest()
  }
  await readAll(blobs, [1000], { bytes: BLOB_MAX })
  t.same((await readAll(blobs, [1000], { bytes: BLOB_MAX })).asked, [])
})

test('nothing is handed to readers once one has failed', async t => {
  const blobs = rested()
  await readAll(blobs, [1, 2])
  const failed = new AbortController()
  const taken: string[] = []
  const reader = { begin: ({ id }: { id: string }) => void taken.push(id), take: () => undefined }
  const { asked, handRest } = blobs.split(
    [1, 3, 2].map((i): Asking => [id(i), reader]),
    failed.signal,
  )
  await asked[0]![1].begin({ id: id(3), type: 'blob', size: 1 })
  failed.abort()
  await handRest()
  t.same(taken, [id(1), id(3)])
})

test('a reader that is slow is waited for, between what is kept and what git says', async t => {
  const blobs = rested()
  await readAll(blobs, [1, 2, 4])
  const said: string[] = []
  const reader = (i: number): ObjectReader => ({
    begin: () => void said.push(`begin ${i}`),
    take: async () => {
      await new Promise(done => setImmediate(done))
      said.push(`end ${i}`)
    },
  })
  const { asked, handRest } = blobs.split(
    [1, 2, 3, 4].map((i): Asking => [id(i), reader(i)]),
    new AbortController().signal,
  )
  const [[, third]] = asked as [Asking]
  await third.begin({ id: id(3), type: 'blob', size: 1 })
  await third.take(Buffer.from('x'))
  await handRest()
  t.same(
    said,
    [1, 2, 3, 4].flatMap(i => [`begin ${i}`, `end ${i}`]),
  )
})

test('who reads once, and never rests, keeps nothing', async t => {
  const blobs = new RecentBlobs()
  for (let i = 0; i < 2; i++) t.same((await readAll(blobs, [1, 2])).asked, [1, 2])
})
