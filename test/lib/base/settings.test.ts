import fc from 'fast-check'
import { test } from 'tap'

import {
  choice,
  count,
  duration,
  limit,
  optional,
  parseDuration,
  parseSize,
  pollInterval,
  setting,
  size,
  sizeLimit,
  words,
} from '../../../lib/base/settings.ts'

test('a setting that has to be there is its value, or the end with 100', async t => {
  t.equal(setting('X', { X: 'y z' }), 'y z')
  for (const env of [{}, { X: '' }]) {
    t.throws(() => setting('X', env), {
      message: 'unable to read the setting X: it is not set',
      exitCode: 100,
    })
  }
})

test('without an environment of its own a setting is read from that of the process', async t => {
  process.env['BASS_TEST_SETTING'] = 'y'
  t.teardown(() => delete process.env['BASS_TEST_SETTING'])
  t.equal(setting('BASS_TEST_SETTING'), 'y')
  t.equal(optional('BASS_TEST_SETTING'), 'y')
})

test('an optional setting that is empty is as good as unset', async t => {
  t.equal(optional('X', { X: 'y' }), 'y')
  t.equal(optional('X', { X: '' }), undefined)
  t.equal(optional('X', {}), undefined)
})

test('words are separated by any white space', async t => {
  t.strictSame(words('X', { X: ' a  b\tc\nd ' }), ['a', 'b', 'c', 'd'])
  t.strictSame(words('X', { X: ' ' }), [])
  t.strictSame(words('X', {}), [])
})

test('a time is a number of seconds, or of what stands behind it', async t => {
  const times: [string, number][] = [
    ['0', 0],
    ['90', 90_000],
    ['0.2', 200],
    ['30s', 30_000],
    ['1.5m', 90_000],
    ['24h', 86_400_000],
    ['7d', 604_800_000],
  ]
  for (const [text, milliseconds] of times) {
    t.equal(parseDuration(text), milliseconds, text)
    t.equal(duration('X', { X: text }), milliseconds, text)
  }
})

test('what is no time is refused with an example', async t => {
  for (const text of ['-1', '1e3', '1 h', '1w', 'h', '.5', '5.', '0x10', 'Infinity', '1h30m']) {
    t.equal(parseDuration(text), undefined, text)
    t.throws(() => duration('X', { X: text }), {
      message: `unable to read the setting X: '${text}' is not a time such as 90, 30s, 10m, 24h or 7d`,
      exitCode: 100,
    })
  }
})

test('nobody looks less often than once a day', async t => {
  t.equal(pollInterval({ POLL_INTERVAL: '1' }), 1000)
  t.equal(pollInterval({ POLL_INTERVAL: '999d' }), 86_400_000)
  t.throws(() => pollInterval({ POLL_INTERVAL: 'x' }), { message: /POLL_INTERVAL/ })
})

test('a limit of 0, empty or unset never comes', async t => {
  t.equal(limit('X', { X: '10m' }), 600_000)
  for (const env of [{ X: '0' }, { X: '0h' }, { X: '' }, {}]) t.equal(limit('X', env), Infinity)
  t.throws(() => limit('X', { X: 'never' }), { message: /'never' is not a time/, exitCode: 100 })
})

test('a size is a number of bytes, or of what stands behind it, by 1024', async t => {
  const sizes: [string, number][] = [
    ['1', 1],
    ['4096', 4096],
    ['64K', 65_536],
    ['1.5M', 1_572_864],
    ['10G', 10_737_418_240],
    ['0.1K', 102],
  ]
  for (const [text, bytes] of sizes) {
    t.equal(parseSize(text), bytes, text)
    t.equal(size('X', { X: text }), bytes, text)
  }
})

test('a size of 0 is nothing, as a limit without end, but has to be said', async t => {
  t.equal(size('X', { X: '0' }), 0)
  t.equal(sizeLimit('X', { X: '0' }), Infinity)
  t.equal(sizeLimit('X', { X: '1K' }), 1024)
  t.throws(() => size('X', {}), { message: 'unable to read the setting X: it is not set' })
})

test('what is no size is refused with an example', async t => {
  for (const text of ['-1', '1e3', '10 G', '10g', '10GB', '10GiB', 'G', '1T', '9'.repeat(13)]) {
    t.equal(parseSize(text), undefined, text)
    t.throws(() => size('X', { X: text }), {
      message: `unable to read the setting X: '${text}' is not a size such as 4096, 64K, 100M or 10G`,
      exitCode: 100,
    })
  }
})

test('no text makes a time or a size of anything but a number that is not negative', async t => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[\d.]{1,20}[smhdKMG]?$/)), text =>
      [parseDuration(text), parseSize(text)].every(value => value === undefined || value >= 0),
    ),
  )
  t.pass()
})

test('a count is a whole number', async t => {
  t.equal(count('X', { X: '0' }), 0)
  t.equal(count('X', { X: '999999999999999' }), 999_999_999_999_999)
  for (const text of ['-1', '1.5', '1e3', ' 1', 'three', '1'.repeat(16)]) {
    t.throws(() => count('X', { X: text }), {
      message: `unable to read the setting X: '${text}' is not a whole number`,
      exitCode: 100,
    })
  }
  t.throws(() => count('X', {}), { message: 'unable to read the setting X: it is not set' })
})

test('a choice is one of the words there are', async t => {
  t.equal(choice('X', ['auto', 'poll'], { X: 'poll' }), 'poll')
  t.throws(() => choice('X', ['auto', 'poll'], { X: 'Poll' }), {
    message: "unable to read the setting X: 'Poll' is not one of auto, poll",
    exitCode: 100,
  })
})
