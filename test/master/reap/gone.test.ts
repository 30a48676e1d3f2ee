import { test } from 'tap'

import { Heartbeats } from '../../../master/reap/gone.ts'

// A look each second, an owner is gone after 30 s.
const watching = () => new Heartbeats(30_000, 1000)

/** Looks each second from `from` to `to`; answers when `beat(second)` was first taken for gone, in seconds. */
function goneAt(hearts: Heartbeats, beat: (second: number) => string | undefined, from: number, to: number) {
  for (let second = from; second <= to; second++) {
    hearts.goOn(second * 1000)
    if (hearts.isGone('x', beat(second), second * 1000)) return second
  }
  return undefined
}

test('a heart that beats is never gone', async t => {
  t.equal(
    goneAt(watching(), second => String(second), 0, 1000),
    undefined,
  )
})

test('a heart that beats rarely, but within the time, is not gone', async t => {
  t.equal(
    goneAt(watching(), second => String(Math.floor(second / 29)), 0, 1000),
    undefined,
  )
})

test('a heart that stands still is gone after LOST_AFTER and not before', async t => {
  t.equal(
    goneAt(watching(), () => 'still', 0, 100),
    30,
  )
})

test('a heartbeat that cannot be seen tells nothing', async t => {
  t.equal(
    goneAt(watching(), () => undefined, 0, 1000),
    undefined,
  )
})

test('an observer that was held up waits LOST_AFTER and twice as long as it was', async t => {
  const hearts = watching()
  t.equal(
    goneAt(hearts, () => 'still', 0, 20),
    undefined,
  )
  // Nothing is seen from 20 to 81: held up for 60 s, so not before 81 + 30 + 120.
  t.equal(
    goneAt(hearts, () => 'still', 81, 1000),
    231,
  )
})

test('an observer that hangs in the middle of a look has been held up as well', async t => {
  const hearts = watching()
  t.equal(
    goneAt(hearts, () => 'still', 0, 20),
    undefined,
  )
  hearts.goOn(21_000)
  t.notOk(hearts.isGone('x', 'still', 82_000), 'the read itself took 60 s')
  t.equal(
    goneAt(hearts, () => 'still', 83, 1000),
    232,
  )
})

test('a host that is forgotten starts anew', async t => {
  const hearts = watching()
  goneAt(hearts, () => 'still', 0, 29)
  hearts.keep(new Set())
  t.equal(
    goneAt(hearts, () => 'still', 30, 100),
    60,
  )
})
