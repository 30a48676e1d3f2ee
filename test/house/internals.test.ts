// The tables of lib/INTERNALS.md are true: each state has a scenario of the crash sweep that stops there.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { scenarios } from '../crash/scenarios.ts'
import { ROOT } from '../fixtures/sandbox.ts'

const INTERNALS = readFileSync(join(ROOT, 'lib/INTERNALS.md'), 'utf8')

/** The first two cells of each row of the tables whose second column has this heading. */
const rowsOf = (heading: string): [string, string][] =>
  INTERNALS.split('\n\n')
    .map(block => block.split('\n').map(row => row.split('|').map(cell => cell.trim())))
    .filter(([titles]) => titles?.[2] === heading)
    .flatMap(table => table.slice(2).map(([, first, second]): [string, string] => [first!, second!]))

test('every state names a scenario that stops in it, and every scenario is named', t => {
  const rows = rowsOf('scenario')
  const named = new Map(
    rows.map(([states, cell]) => [states, [...cell.matchAll(/"(.*?)"/g)].map(m => m[1]!)]),
  )
  const states = rowsOf('exists').map(([state]) => state.split(' ')[0]!)
  t.ok(states.length > 10)
  const covered = [...named.keys()].flatMap(key => key.split(', '))
  t.same(
    states.filter(state => !covered.includes(state)),
    [],
  )
  t.same([...new Set([...named.values()].flat())].sort(), scenarios.map(({ name }) => name).sort())
  t.end()
})
