import { test } from 'tap'

import { nearest } from '../../../lib/base/nearest.ts'

const WORDS = ['status', 'show', 'log', 'cancel', 'retry']

test('a slip, a swap or a beginning finds the word that was meant', async t => {
  for (const [typed, meant] of [
    ['statsu', 'status'],
    ['sttus', 'status'],
    ['stat', 'status'],
    ['shwo', 'show'],
    ['retyr', 'retry'],
    ['cancle', 'cancel'],
    ['logs', 'log'],
  ] as const) {
    t.equal(nearest(typed, WORDS), meant, typed)
  }
  t.equal(nearest('prun', ['run', 'prune']), 'prune', 'a beginning before a slip')
})

test('what is like none of the words is not guessed at', async t => {
  for (const typed of ['', 'frobnicate', 'x', 'STATUS!', 'abc'])
    t.equal(nearest(typed, WORDS), undefined, typed)
})
