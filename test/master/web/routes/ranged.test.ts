import { test } from 'tap'

import { byteRange } from '../../../../master/web/routes/ranged.ts'

test('a range is of the bytes that are there, and anything else asks for the whole', async t => {
  const table: [string | undefined, number, [number, number] | undefined][] = [
    ['bytes=0-', 10, [0, 9]],
    ['bytes=2-5', 10, [2, 5]],
    ['bytes=8-99', 10, [8, 9]],
    ['bytes=-3', 10, [7, 9]],
    ['bytes=-99', 10, [0, 9]],
    ['bytes=10-', 10, [10, 9]],
    ['bytes=-0', 10, [10, 9]],
    ['bytes=5-2', 10, undefined],
    ['bytes=-', 10, undefined],
    ['bytes=0-1,4-5', 10, undefined],
    ['lines=0-1', 10, undefined],
    ['bytes=0-', 0, undefined],
    [undefined, 10, undefined],
  ]
  for (const [header, size, found] of table) {
    const range = byteRange(header, size)
    t.same(range && [range.start, range.end], found, `${header} of ${size}`)
  }
})
