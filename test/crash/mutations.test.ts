import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { ROOT } from '../fixtures/sandbox.ts'
import { MUTATIONS } from './mutations.ts'
import { scenarios } from './scenarios.ts'
import { schedules } from './schedules.ts'

test('every mutation breaks a line that is there, for scenarios that are there', t => {
  for (const { name, file, text, words, kind } of MUTATIONS) {
    t.equal(readFileSync(join(ROOT, file), 'utf8').split(text).length, 2, `${name}: ${file}`)
    t.ok(
      (kind === 'schedule' ? schedules : scenarios).some(scenario => scenario.name.includes(words)),
      `${name}: ${words}`,
    )
  }
  t.end()
})
