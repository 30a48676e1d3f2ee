import { test } from 'tap'

import { Recent } from '../../../lib/git/recent.ts'

/** Looks names up in turn, of objects with so many bytes; returns how often git would have been asked. */
async function asks(names: readonly string[], { type = 'tree', bytes = 10 } = {}): Promise<number> {
  const recent = new Recent()
  let asked = 0
  for (const name of names)
    await recent.look(name, 1, () => {
      asked++
      return Promise.resolve({ id: name, type, size: bytes, body: Buffer.alloc(bytes) })
    })
  return asked
}

const id = (i: number): string => i.toString(16).padStart(40, '0')
const twice = (name: string): string[] => [name, name]

test('commits and trees named by a whole id are kept, and nothing else is', async t => {
  for (const name of [
    id(1),
    'ab'.repeat(32),
    `${id(1)}^{tree}`,
    `${id(1)}^{commit}`,
    `${id(1)}:.bass\n`,
    `${id(1)}^^{commit}`,
  ])
    t.equal(await asks(twice(name)), 1, name)
  for (const name of [
    '',
    'HEAD',
    'main^{tree}',
    id(1).slice(1),
    `${id(1)}0`,
    `x${id(1)}`,
    `${id(1)}~1`,
    `${id(1)}^2^{commit}`,
  ])
    t.equal(await asks(twice(name)), 2, name)
  t.equal(await asks(twice(id(1)), { type: 'blob' }), 2, 'a blob')
  t.equal(await asks(twice(id(1)), { bytes: 200_000 }), 2, 'a large one')
})

test('questions at the same time are one, and an answer of fewer bytes is not that of more', async t => {
  const recent = new Recent()
  let asked = 0
  const look = (keep: number) =>
    recent.look(id(1), keep, () => {
      asked++
      return Promise.resolve({ id: id(1), type: 'tree', size: 9, body: Buffer.alloc(Math.min(9, keep)) })
    })
  const found = await Promise.all([look(0), look(0), look(100)])
  t.same(
    found.map(object => object?.body.length),
    [0, 0, 9],
  )
  t.equal(asked, 2)
})

test('what is missing or failed is asked again', async t => {
  const recent = new Recent()
  const found = { id: id(1), type: 'tree', size: 0, body: Buffer.alloc(0) }
  const answers = [
    () => Promise.resolve(undefined),
    () => Promise.reject(new Error('no')),
    () => Promise.resolve(found),
  ]
  const look = () => recent.look(id(1), 1, () => answers.shift()!())
  t.equal(await look(), undefined)
  await t.rejects(look(), { message: 'no' })
  t.equal(await look(), found)
  t.equal(await look(), found)
})

test('many take bounded memory: the first are forgotten', async t => {
  const many = Array.from({ length: 100 }, (_, i) => id(i))
  t.equal(await asks([...many.slice(0, 10), ...many.slice(0, 10)], { bytes: 100_000 }), 10)
  t.equal(await asks([...many, id(0)], { bytes: 100_000 }), 101)
  const small = Array.from({ length: 10_000 }, (_, i) => id(i))
  t.equal(await asks([...small, id(0)], { bytes: 0 }), 10_001, 'also of objects without content')
})
