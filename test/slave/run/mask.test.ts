import fc from 'fast-check'
import { test } from 'tap'

import { mask, Masker, patternsOf } from '../../../slave/run/mask.ts'

const stream = (secrets: string[], chunks: string[]): string => {
  const masker = new Masker(secrets)
  const shown = chunks.map(chunk => Buffer.from(masker.push(Buffer.from(chunk))))
  return Buffer.concat([...shown, masker.end()]).toString()
}

test('a secret is hidden wherever it stands', async t => {
  t.equal(mask('hunter2 and hunter2', ['hunter2']), '*** and ***')
  t.equal(mask('xabcdx', ['abc', 'bcd']), 'x***x')
  t.equal(mask('abcabc', ['abc']), '******')
  t.equal(mask('nothing', []), 'nothing')
  t.equal(mask('nothing', ['']), 'nothing')
})

test('a secret of several lines is hidden as a whole and line by line, but for very short lines', async t => {
  t.same(patternsOf(['first line\r\n}\nlast line\n']), [
    'first line\r\n}\nlast line\n',
    'first line',
    'last line',
  ])
  t.equal(mask('a } first line b', ['first line\n}\nlast line']), 'a } *** b')
})

test('only what can still become a secret is held back', async t => {
  const masker = new Masker(['secret', 'section'])
  t.equal(masker.push(Buffer.from('a line\n')).toString(), 'a line\n')
  t.equal(masker.push(Buffer.from('a sec')).toString(), 'a ')
  t.equal(masker.push(Buffer.from('ond')).toString(), 'second')
  t.equal(masker.push(Buffer.from(' sect')).toString(), ' ')
  t.equal(masker.end().toString(), 'sect')
})

test('a run that goes on for ever is one mask and is not kept', async t => {
  const masker = new Masker(['aaaa'])
  const shown = Array.from({ length: 100 }, () => masker.push(Buffer.alloc(1000, 'a')).toString())
  t.equal(shown.join('') + masker.end().toString(), '***')
})

test('however the stream is cut, it shows the same, and no byte of a secret', async t => {
  const letters = fc.array(fc.constantFrom('a', 'b', 'c', '\n'), { maxLength: 40 }).map(a => a.join(''))
  const secrets = fc.array(
    fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 6 }).map(a => a.join('')),
    { minLength: 1, maxLength: 3 },
  )
  const holds = fc.check(
    fc.property(secrets, fc.array(letters), (values, chunks) => {
      const text = chunks.join('')
      const hidden = new Array<boolean>(text.length).fill(false)
      for (let at = 0; at < text.length; at++) {
        for (const value of values) if (text.startsWith(value, at)) hidden.fill(true, at, at + value.length)
      }
      const shown = stream(values, chunks)
      return (
        shown === mask(text, values) &&
        shown.replaceAll('*', '') ===
          Array.from(text)
            .filter((_, i) => !hidden[i])
            .join('')
      )
    }),
    { numRuns: 2000 },
  )
  t.notOk(holds.failed, fc.defaultReportMessage(holds) ?? '')
})
