import { test } from 'tap'

import {
  ago,
  clip,
  formatBytes,
  formatSeconds,
  harmless,
  harmlessLine,
  width,
} from '../../../lib/base/text.ts'

test('a span is told in two units at most', async t => {
  const spans: [number, string][] = [
    [0, '0.0s'],
    [0.44, '0.4s'],
    [9.97, '10s'],
    [59.4, '59s'],
    [59.6, '1m 00s'],
    [185, '3m 05s'],
    [3599.6, '1h 00m'],
    [7620, '2h 07m'],
    [86_390, '1d 00h'],
    [356_400, '4d 03h'],
  ]
  for (const [seconds, text] of spans) t.equal(formatSeconds(seconds), text)
})

test('an age is told in one unit', async t => {
  const ages: [number, string][] = [
    [-5000, 'now'],
    [999, 'now'],
    [1000, '1 s ago'],
    [60_000, '1 min ago'],
    [3 * 3600_000, '3 h ago'],
    [40 * 86_400_000, '40 d ago'],
  ]
  for (const [milliseconds, text] of ages) t.equal(ago(milliseconds), text)
})

test('a size is told in powers of 1024', async t => {
  const sizes: [number, string][] = [
    [0, '0 B'],
    [999, '999 B'],
    [1536, '1.5 KiB'],
    [20 * 1024 ** 2, '20 MiB'],
    [1024 ** 2 - 1, '1.0 MiB'],
  ]
  for (const [bytes, text] of sizes) t.equal(formatBytes(bytes), text)
})

test('what somebody wrote cannot drive the terminal', async t => {
  t.equal(harmless('a\x1b[31mb\x07\u202Ec\nd\x9be'), 'a?[31mb??c d?e')
})

test('a line of a log keeps its colours and tabs, and nothing else that drives a terminal', async t => {
  const line = '\x1b[1;31mred\x1b[0m\tx\x1b[2J\x1b]0;title\x07 10%\r20%\x1b(0\x9b2J\r'
  t.equal(harmlessLine(line, true), '\x1b[1;31mred\x1b[0m\tx 10% 20%?(0?2J')
  t.equal(harmlessLine(line, false), 'red\tx 10% 20%?(0?2J')
})

test('text is measured and cut in columns', async t => {
  t.equal(width('añ漢🎉'), 6)
  t.equal(width('e\u0301'), 1)
  t.equal(clip('abcdef', 6), 'abcdef')
  t.equal(clip('abcdefg', 6), 'abcde…')
  t.equal(clip('漢字漢字', 6), '漢字…')
  t.equal(width('👩‍👩‍👧'), 2, 'what people see as one')
  t.equal(width('🇩🇪'), 2)
  t.equal(clip('a👩‍👩‍👧bc', 4), 'a👩‍👩‍👧…')
})
