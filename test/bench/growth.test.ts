import t from 'tap'

import { exponentOf } from './growth/growth.ts'

const curve = (cost: (size: number) => number) => [1, 4, 16, 64].map(size => [size, cost(size)] as const)

t.test('the exponent of a power is that power, whatever its factor', async t => {
  for (const power of [0, 0.5, 1, 2]) {
    const exponent = exponentOf(curve(size => 7 * size ** power))
    t.ok(Math.abs(exponent - power) < 1e-9, `n^${power}`)
  }
})

t.test('what is paid once makes a linear curve flatter, never steeper', async t => {
  const exponent = exponentOf(curve(size => 10 + size))
  t.ok(exponent > 0 && exponent < 1)
})
