import { test } from 'tap'

import { Silence } from '../../../slave/run/silence.ts'

const sleep = (milliseconds: number) => new Promise(done => setTimeout(done, milliseconds))

/** Holds up this process, as a signal or a call that hangs would. */
const block = (milliseconds: number) =>
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds)

test('silence expires once, and not while something is heard', async t => {
  let expired = 0
  const silence = new Silence(
    500,
    () => true,
    () => expired++,
  )
  for (let i = 0; i < 8; i++) {
    await sleep(100)
    silence.heard()
  }
  t.equal(expired, 0)
  await sleep(2000)
  t.equal(expired, 1)
})

test('time in which nothing could be heard does not count', async t => {
  let expired = 0
  const unable = new Silence(
    100,
    () => false,
    () => expired++,
  )
  await sleep(400)
  unable.stop()
  t.equal(expired, 0)
})

test('time in which we were held up does not count', async t => {
  let expired = 0
  const silence = new Silence(
    1000,
    () => true,
    () => expired++,
  )
  block(2000)
  await sleep(100)
  silence.stop()
  t.equal(expired, 0)
})

test('no limit is no limit', async t => {
  new Silence(
    Infinity,
    () => true,
    () => t.fail(),
  )
  await sleep(50)
})
