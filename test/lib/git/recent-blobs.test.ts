import { test } from 'tap'

import { RecentBlobs } from '../../../lib/git/recent-blobs.ts'
import type { Asking } from '../../../lib/git/recent-blobs.ts'
import type { ObjectReader } from '../../../lib/git/objects.ts'

const id = (i: number): string => i.toString(16).padStart(40, '0')

/** Reads objects as a repository does, of so many bytes each; returns of which git was asked, and what the readers took. */
function readAll(blobs: RecentBlobs, ids: readonly number[], { bytes = 3, type = 'blob', pieces = 1 } = {}) {
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
    reader.begin({ id, type, size: bytes })
    const body = Buffer.alloc(bytes, String(parseInt(id, 16) % 10))
    for (let at = 0; at < bytes; at += bytes / pieces)
      void reader.take(body.subarray(at, at + bytes / pieces))
  }
  handRest()
  return { asked: asked.map(([id]) => parseInt(id, 16)), taken }
}

test('what was read lately is not asked again, and all come in their order', t => {
  const blobs = new RecentBlobs()
  t.same(readAll(blobs, [2, 4]), { asked: [2, 4], taken: ['2:222', '4:444'] })
  const all = ['1:111', '2:222', '3:333', '4:444', '5:555']
  t.same(readAll(blobs, [1, 2, 3, 4, 5]), { asked: [1, 3, 5], taken: all })
  t.same(readAll(blobs, [1, 2, 3, 4, 5]), { asked: [], taken: all })
  t.same(readAll(blobs, [6, 5, 4, 6]), { asked: [6, 6], taken: ['6:666', '5:555', '4:444', '6:666'] })
  t.end()
})

test('empty ones, and those that come in pieces, are what they were', t => {
  const blobs = new RecentBlobs()
  t.same(readAll(blobs, [1], { bytes: 0 }), readAll(new RecentBlobs(), [1], { bytes: 0 }))
  t.same(readAll(blobs, [1], { bytes: 0 }), { asked: [], taken: ['1:'] })
  readAll(blobs, [2], { bytes: 4, pieces: 4 })
  t.same(readAll(blobs, [2], { bytes: 4 }), { asked: [], taken: ['2:2222'] })
  t.end()
})

test('what is large, or no blob, is not kept; nor is more than there is room for, and the first stay', t => {
  const blobs = new RecentBlobs()
  readAll(blobs, [1], { bytes: 32 * 1024 + 1 })
  readAll(blobs, [2], { type: 'tree' })
  t.same(readAll(blobs, [1, 2]).asked, [1, 2])
  const many = Array.from({ length: 400 }, (_, i) => i + 10)
  const [bytes, room] = [32 * 1024, 4 * 1024 * 1024]
  readAll(blobs, many, { bytes })
  const { asked } = readAll(blobs, many, { bytes })
  t.ok(
    many.length - asked.length <= room / bytes && many.length - asked.length > room / bytes - 3,
    'so many fit',
  )
  t.same(asked, many.slice(-asked.length))
  t.end()
})

test('a piece of work leaves what it wanted, and room for the next', t => {
  const blobs = new RecentBlobs()
  readAll(blobs, [1, 2, 3])
  blobs.rest()
  readAll(blobs, [2])
  blobs.rest()
  t.same(readAll(blobs, [1, 2, 3]).asked, [1, 3])
  const many = Array.from({ length: 128 }, (_, i) => i + 10)
  for (let piece = 0; piece < 3; piece++) {
    const own = many.map(i => i + 1000 * piece)
    readAll(blobs, own, { bytes: 30_000 })
    t.same(readAll(blobs, own, { bytes: 30_000 }).asked, [], 'all of it is kept')
    blobs.rest()
    blobs.rest()
  }
  blobs.forget()
  t.same(readAll(blobs, [2012]).asked, [2012])
  t.end()
})

test('nothing is handed to readers once one has failed', t => {
  const blobs = new RecentBlobs()
  readAll(blobs, [1, 2])
  const failed = new AbortController()
  const taken: string[] = []
  const reader = { begin: ({ id }: { id: string }) => void taken.push(id), take: () => undefined }
  const { asked, handRest } = blobs.split(
    [1, 3, 2].map((i): Asking => [id(i), reader]),
    failed.signal,
  )
  asked[0]![1].begin({ id: id(3), type: 'blob', size: 1 })
  failed.abort()
  handRest()
  t.same(taken, [id(1), id(3)])
  t.end()
})
