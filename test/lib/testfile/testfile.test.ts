import assert from 'node:assert/strict'

import fc from 'fast-check'
import { test } from 'tap'

import { parseTestfile, TESTFILE_MAX } from '../../../lib/testfile/testfile.ts'

const TABLE: readonly [about: string, text: string, expected: [string, string][] | [number, RegExp][]][] = [
  ['nothing', '', []],
  ['a line', 'unit: npm test\n', [['unit', 'npm test']]],
  ['a line without its end', 'unit: npm test', [['unit', 'npm test']]],
  [
    'lines of Windows',
    'a: x\r\n\r\n# c\r\nb: y\r\n',
    [
      ['a', 'x'],
      ['b', 'y'],
    ],
  ],
  ['comments and blank lines', '# all: x\n\n \t\n  # indented\na: b # c\n', [['a', 'b # c']]],
  ['a colon in the command', 'url: curl http://x:80/', [['url', 'curl http://x:80/']]],
  ['no space behind the colon', 'a:b', [['a', 'b']]],
  ['names of all that is allowed', 'Az09_-.: x', [['Az09_-.', 'x']]],
  ['bytes that are not ASCII', 'a: echo ä\u{1f600}', [['a', 'echo ä\u{1f600}']]],
  ['a carriage return inside', 'a: printf "x\ry"', [['a', 'printf "x\ry"']]],
  ['no colon', 'make test', [[1, /NAME: COMMAND/]]],
  ['no name', ': x', [[1, /name/]]],
  ['a space in the name', 'a b: x', [[1, /letters/]]],
  ['a space before the name', ' a: x', [[1, /letters/]]],
  ['a space before the colon', 'a : x', [[1, /letters/]]],
  ['a name that is not ASCII', 'ä: x', [[1, /letters/]]],
  ['a byte order mark', '\ufeffa: x', [[1, /byte order mark/]]],
  ['its bytes', '\xef\xbb\xbf# comment\na: x', [[1, /byte order mark/]]],
  ['a tab before the name', '\ta: x', [[1, /letters/]]],
  ['tabs around the command', 'a:\tx\ty\t', [['a', 'x\ty']]],
  ['no command', 'a:  \t', [[1, /no command/]]],
  ['a NUL', 'a: x\0y', [[1, /NUL/]]],
  ['a long name', 'n'.repeat(101) + ': x', [[1, /longer than 100/]]],
  ['a name twice', 'a: x\nb: y\n\na: z\n', [[4, /line 1 as well/]]],
  [
    'all that is wrong',
    'x\na: b\ny\n',
    [
      [1, /NAME/],
      [3, /NAME/],
    ],
  ],
  ['too much', 'a: ' + 'x'.repeat(TESTFILE_MAX), [[1, /larger/]]],
]

for (const [about, text, expected] of TABLE) {
  test(`a Testfile with ${about}`, async t => {
    const parsed = parseTestfile(text)
    if ('lines' in parsed)
      t.same(
        parsed.lines.map(({ name, command }) => [name, command]),
        expected,
      )
    else {
      t.same(
        parsed.faults.map(({ line }) => line),
        expected.map(([line]) => line),
      )
      for (const [i, { why }] of parsed.faults.entries()) t.match(why, expected[i]![1])
    }
  })
}

const name = fc.stringMatching(/^[A-Za-z0-9_.-]{1,30}$/)
const command = fc.stringMatching(/^[^\s\0]([^\n\r\0]{0,40}[^\s\0])?$/)

test('what is written is read again, whatever stands between the lines', async () => {
  const lines = fc.uniqueArray(fc.tuple(name, command), { selector: ([name]) => name, maxLength: 20 })
  const between = fc.array(fc.constantFrom('', '  ', '# x: y', '\t# z'), { maxLength: 3 })
  fc.assert(
    fc.property(
      lines,
      between,
      fc.constantFrom('\n', '\r\n'),
      fc.boolean(),
      (lines, between, end, closed) => {
        const text = lines.flatMap(([name, command]) => [...between, `${name}: ${command}`]).join(end)
        const parsed = parseTestfile(text + (closed ? end : ''))
        assert.deepEqual(parsed, { lines: lines.map(([name, command]) => ({ name, command })) })
      },
    ),
  )
})

test('of any text come lines that can be run, or faults that are in it', async t => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.string({ unit: fc.constantFrom('a', 'b', ':', '#', ' ', '\n', '\r', '\t', '\0') }),
      ),
      text => {
        const parsed = parseTestfile(text)
        if ('lines' in parsed) {
          const names = parsed.lines.map(({ name }) => name)
          return (
            new Set(names).size === names.length &&
            parsed.lines.every(line => /^[\w.-]+$/.test(line.name) && /^[^\0\n]+$/.test(line.command))
          )
        }
        return parsed.faults.every(({ line }) => line >= 1 && line <= text.split('\n').length)
      },
    ),
  )
  t.pass()
})
